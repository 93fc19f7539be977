"""Assistants of the kind ``openai``: any server that speaks OpenAI's chat completions.

README.md names the files in the order in which a turn passes them.
"""
