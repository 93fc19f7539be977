"""The worker process: what is slow, or must be tried again, away from the processes that answer platforms.

``executor.py`` is the spine of one job; ``engine.py`` puts together what brings jobs to it and writes their ends;
``handlers/`` says what a job of each kind does; ``janitor.py`` looks after what nobody owns; ``worker.py`` builds,
starts and stops it all.
"""
