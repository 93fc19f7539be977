"""Plays: scripted conversations with expectations.  See the README beside this file."""
