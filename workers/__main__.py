"""``python -m workers``: patches first, then builds and runs."""

# nothing may be imported before the process is patched: locks made earlier would hang
from gevent import monkey

monkey.patch_all()

from psycogreen.gevent import patch_psycopg

patch_psycopg()

import os
import sys

from gateway import telemetry
from gateway.domain.errors import SwitchboardError
from gateway.settings.load import SettingsError, load
from gateway.telemetry import logs
from gateway.telemetry.greenlets import tell_of_crashes
from gateway.telemetry.metrics import Metrics
from workers.label import LABEL_VARIABLE, draw_label, with_pid
from workers.registry import load_handlers
from workers.worker import Worker


def main() -> int:
    """Run one worker until SIGTERM or SIGINT; return its exit status.

    ``os.EX_CONFIG`` means that starting it again does not help.
    """
    # Taken away before the settings are read: it is none of them, and of this process alone.
    label = with_pid(os.environ.pop(LABEL_VARIABLE, "") or draw_label(), os.getpid())
    try:
        settings = load()
        handlers = load_handlers(settings.worker.handlers)
    except (SettingsError, SwitchboardError) as error:
        sys.stderr.write(f"{error}\n")
        return os.EX_CONFIG
    telemetry.attach(logs.configure(settings.logging, accounts=settings.accounts.values()))
    metrics = Metrics(settings.accounts.values())
    telemetry.attach(metrics)
    tell_of_crashes()
    return Worker(settings, metrics, handlers, label=label).run()


sys.exit(main())
