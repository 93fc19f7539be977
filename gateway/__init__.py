"""Switchboard's gateway: the front door of a conversational platform.

The path of a message, and where to read each step:

1. ``web/hooks.py``        a platform's HTTP call arrives as one plain request value
2. ``channels/<name>/``    ``verify`` proves the caller, ``parse`` makes messages of the body
3. ``intake/accept.py``    one batched commit to the ledger: duplicates out, sequence given, lane claimed
4. ``lanes/lane.py``       the conversation's single file: one turn at a time, in order
5. ``assistants/http.py``  asks the assistant over ``rpc/`` inside the turn's deadline
6. ``channels/<name>/``    ``render`` puts the reply into the platform's form and says what it degraded
7. ``pipeline.py``         settles the turn, then answers in the response or leaves it to the outbox

``pipeline.py`` is the spine: read it first.  This module imports nothing.
"""
