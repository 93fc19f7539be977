"""Replies on their way back: who waits for a turn, and what becomes of a reply in an HTTP response.

``results.py`` callers that wait for turns, run here or elsewhere; ``responses.py`` the outcome of responses, written
to the ledger behind their callers' backs; ``outbox_watch.py`` how many replies are unsent; ``limits.py`` when one may
be sent, by what its platform takes; ``strays.py`` rows whose taking was never heard of.
"""
