"""Sample assistants: separate processes that answer turns over HTTP, as anybody's assistant would.

``bartender/`` and ``tasted/`` are the assistants; ``serving/`` and ``language/`` are what both would otherwise have
twice.  They import nothing of the gateway, so each of them can be lifted out and taken as the start of a real one.
"""
