"""The stores and processes behind ``switchboard up``: PostgreSQL, Redis and our own, under one folder.

Reading order: ``home.py`` (the folder and who may use it), ``process.py`` (one child), ``supervisor.py`` (all
of them: order, restarts, stop), ``postgres.py`` and ``redis.py`` (how the stores are run), ``up.py`` (what is
started).

Production does not use this package: it runs the Procfile's processes.  Imports no gevent: the starter is one
plain thread, so that the parent-death signal of its children means the death of the whole starter.
"""
