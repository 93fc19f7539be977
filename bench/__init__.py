"""Benchmarks: every speed that the papers claim is a command here.

``python -m bench.NAME [--quick] [--json FILE]``; ``python -m bench`` (``make bench``) runs them all.
"""
