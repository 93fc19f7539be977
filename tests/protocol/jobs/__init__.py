"""The jobs protocol before the explorer: one partition, a few jobs, two or three workers, every interleaving.

Read it as the protocol of conversations beside it: rules.py, then model.py, then who may do what next
(ledger.py: clients, time and the partition's row; feed.py: looks; work.py: starts and ends; ownership.py:
time, death, taking and giving back), properties.py, scenarios.py, trace.py; explorer.py puts them together.

replay.py makes runs of the model again with the ledger's own functions: after every step both must say the same.

When jobs.sql, job_partitions.sql or the board change, the model changes first. To see what a rule protects from::

    python -m tests.protocol jobs settle_checks_fence
"""
