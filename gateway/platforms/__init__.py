"""The other side of the channels: what platforms do, from their own side, for trials without any account of theirs.

``base.py`` says what a platform is.  One file each (``slack``, ``webchat.py`` ...) builds its signed deliveries, stands
in for its send API and says what a user sees.  The process that stands in for all of them is
``python -m gateway.platforms``; ``switchboard up`` runs it, ``switchboard simulate``, ``chat`` and ``play`` use it.
"""
