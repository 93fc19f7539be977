"""Greenlets that are used again.

``handlers.py`` what must be true of one before it is; ``errands.py`` lends them to what is begun for each turn and is
no request.
"""
