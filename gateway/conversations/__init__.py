"""Conversations as their users see them: what was said, and what is being said right now.

``transcripts`` reads the ledger, ``live`` knows who watches, ``follow`` tells a watcher what comes next.  The
ledger is the only truth: everything in ``live`` is a hint to look there, or a preview that the ledger's reply
replaces.
"""
