"""Lanes: a conversation's turns run one at a time, in order, whichever process runs them.

``owner.py`` this process in the ledger and its lease; ``lane.py`` the lanes that it runs; ``takeover.py`` finding lanes
that nobody runs.  What running a turn *means* is not known here: the pipeline hands that in.
"""
