"""``python -m workers.processes``: what ``switchboard worker`` becomes."""

from __future__ import annotations

import os
import sys

from gateway import telemetry
from gateway.embedded.readiness import NOTIFY_SOCKET, tell_ready
from gateway.settings.load import SettingsError, load
from gateway.settings.settings import Settings
from gateway.telemetry import logs
from workers.processes.parent import Parent


def main() -> int:
    """Run children until SIGTERM or SIGINT; return the exit status."""
    environment = dict(os.environ)
    # It is our own starter's, and none of our children's.
    notified = environment.pop(NOTIFY_SOCKET, "")

    def read_settings() -> Settings:
        return load(None, environment)

    try:
        settings = read_settings()
    except SettingsError as error:
        # Told once, and not by each child for itself.
        sys.stderr.write(f"{error}\n")
        return os.EX_CONFIG
    telemetry.attach(logs.configure(settings.logging))
    on_ready = (lambda: tell_ready(notified)) if notified else None
    return Parent(settings, environment, reread=read_settings, on_ready=on_ready).run()


sys.exit(main())
