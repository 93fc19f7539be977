"""gunicorn's entry point: ``gunicorn -c config/gunicorn.conf.py gateway.wsgi:app``.

Our worker class (``gateway.server.worker``) has patched the process before it imports this.  psycopg2 is told here to
wait as gevent does, because it is C and patching does not reach it.
"""

from __future__ import annotations

import contextlib
import gc
import sys

import gevent
from psycogreen.gevent import patch_psycopg

from gateway import telemetry
from gateway.app import Gateway
from gateway.domain.errors import TooLate
from gateway.settings.load import SettingsError, load
from gateway.telemetry import logs
from gateway.telemetry.greenlets import tell_of_crashes
from gateway.telemetry.metrics import Metrics

__all__ = ["app"]

#: gunicorn's WORKER_BOOT_ERROR: its master ends instead of starting a worker again and again.
_BOOT_FAILED = 3
#: Seconds that the first connections wait, in the kernel's queue, for the ledger to know this process.
_FIRST_BEAT_S = 2.0

patch_psycopg()
# gevent notes where each greenlet was spawned, which doubles the price of spawning one: 20 µs against 9.
gevent.config.track_greenlet_tree = False
try:
    _settings = load()
    _metrics = Metrics(_settings.accounts.values())
    _gateway = Gateway(_settings, _metrics)
except SettingsError as error:
    # All that a person needs; a traceback in front of it would hide it.  Starting again would not help.
    sys.stderr.write(f"{error}\n")
    sys.exit(_BOOT_FAILED)
telemetry.attach(logs.configure(_settings.logging, accounts=_settings.accounts.values()))
telemetry.attach(_metrics)
tell_of_crashes()
_gateway.start()

# What is loaded now lives as long as the process: the collector need not visit it again, nor look after every 700 new
# objects.  Measured with bench.turn, alternating: 361 µs of processor time a turn against 394.  Thousands of requests
# at once hold more than 20,000 objects, and would be looked through in every wave: with 100,000 the p99 of 4,000
# requests that wait was 9 % lower.
gc.collect()
gc.freeze()
gc.set_threshold(100_000, 20, 20)

# After a reload callers wait already, and a process that cannot accept yet would send them away with a 503.  Without
# the ledger it serves all the same: /readyz tells.
with contextlib.suppress(TooLate):
    _gateway.owner.wait_until_held(_FIRST_BEAT_S)

#: Also what our own worker class asks for limits, drain and stop.
app = _gateway
