"""Where things are kept: PostgreSQL, which is the truth, and Redis, which only moves it faster.

``postgres.py`` the connections; ``batcher.py`` many greenlets, one statement; ``ledger/`` every statement of the
ledger, as SQL functions and the few lines of Python that call each; ``signals.py`` and ``job_hints.py`` hints through
Redis; ``redis_several.py`` the way to a server where Redis is a cluster or has sentinels; ``migrate.py`` the schema.
"""
