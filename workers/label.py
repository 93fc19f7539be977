"""What a worker process is called in the ledger: ``host:pid:word``.

Its parent declares it dead by that name, so nobody else may bear it, not even a process that gets its pid later: hence
the word, which is drawn.  The parent hands the name down before there is a pid, so the child puts its own in.
"""

from __future__ import annotations

import secrets
import socket

__all__ = ["LABEL_VARIABLE", "draw_label", "with_pid"]

#: Holds the label in a child's environment.  No setting: it is of one process.
LABEL_VARIABLE = "SWITCHBOARD_WORKER_LABEL"
_PID = "{pid}"


def draw_label() -> str:
    """Return a label that nobody bears, of a process that has no pid yet."""
    return f"{socket.gethostname()}:{_PID}:{secrets.token_hex(4)}"


def with_pid(label: str, pid: int) -> str:
    """Return *label* with the process's pid in its place."""
    return label.replace(_PID, str(pid))
