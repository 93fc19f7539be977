"""The one error of this package: something cannot be started, and one line says why and what to do."""

from __future__ import annotations

from gateway.domain.errors import SwitchboardError

__all__ = ["StartFailed"]


class StartFailed(SwitchboardError):
    """Nothing runs, or nothing is left running.  The message is for the person at the terminal."""
