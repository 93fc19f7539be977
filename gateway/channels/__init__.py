"""Channels: the platforms, as adapters.

``verify``, ``parse`` and ``render`` are pure; ``send`` is handed its client.  ``base.py`` is the contract that each
channel keeps; ``registry.py`` names them all.
"""
