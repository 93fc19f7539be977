"""One child of the parent: a worker process under a label of its own.

It dies with its parent, by SIGKILL from the kernel.  It leads a session of its own, so that a Ctrl-C at the terminal
reaches the parent alone, which then tells its children.  What it prints goes where the parent's own words go.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence

from gateway.embedded.process import as_child
from gateway.settings.environment import variable
from gateway.settings.worker import WorkerSettings
from workers.label import LABEL_VARIABLE, draw_label, with_pid

__all__ = ["Child"]

_METRICS_PORT = variable(("worker", "metrics_port"))


class Child:
    """A process that runs, or ran.  Instants are of ``time.monotonic()``.

    :raises OSError: the machine has no room for one more process.
    """

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], settings: WorkerSettings, *, index: int
    ) -> None:
        label = draw_label()
        own = {LABEL_VARIABLE: label}
        if settings.metrics_port:
            own[_METRICS_PORT] = str(settings.metrics_port + index)
        self._popen = subprocess.Popen(
            as_child(tuple(argv), identity="same", death_signal=signal.SIGKILL),
            env={**environment, **own},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        #: What it is called in the ledger.
        self.label = with_pid(label, self._popen.pid)
        #: When it is ended by force; None: it was not told to stop.
        self.kill_at: float | None = None
        #: Whether it was ended by force: by us, so that its death says nothing about what it was doing.
        self.killed = False

    def __repr__(self) -> str:
        return f"<Child {self.label} status={self._popen.returncode}>"

    @property
    def pid(self) -> int:
        return self._popen.pid

    def poll(self) -> int | None:
        """Return its exit status, or None while it runs; minus a signal's number if that ended it."""
        return self._popen.poll()

    def in_order(self, status: int) -> bool:
        """Return whether *status* is that of an end in order."""
        # Told to stop before it could have heard: it had not begun.
        return status == 0 or (self.kill_at is not None and status == -signal.SIGTERM)

    def stop(self, kill_at: float) -> None:
        """Tell it to end in order, once; at *kill_at* it is due for ``kill``."""
        if self.kill_at is None:
            self._popen.send_signal(signal.SIGTERM)
            self.kill_at = kill_at

    def kill(self) -> None:
        """End it by force.  Safe twice."""
        if not self.killed and self._popen.poll() is None:
            self.killed = True
            self._popen.kill()
