"""The worker process: what is slow, or must be tried again, away from the processes that answer platforms.

``consumer.py`` claims due outbox rows; ``executor.py`` is the spine of one send; ``classify.py`` says what its outcome
means; ``janitor.py`` looks after what nobody owns; ``worker.py`` builds, starts and stops it all.
"""
