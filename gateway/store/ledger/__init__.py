"""The ledger: every statement on it, in SQL beside the few lines of Python that call it.

Each ``NAME.sql`` defines functions that do one step of the protocol in one round trip; ``NAME.py`` turns values into
arrays and rows into values, and knows nothing of pools, batches or retries.  All of them take a cursor in autocommit
mode, so one call is one transaction.
"""
