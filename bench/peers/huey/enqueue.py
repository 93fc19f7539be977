"""``python enqueue.py COUNT``: enqueues that many jobs.

A module of its own, because huey knows a task by its module, and what is run is ``__main__``.
"""

from __future__ import annotations

import os
import sys

from jobs import effect

for number in range(int(sys.argv[1])):
    effect(number, os.environ["TEXT"])
