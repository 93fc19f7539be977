"""``/healthz`` and ``/readyz``: is this process alive, and may it be given messages?

*Healthz* asks nothing: that it answers is the answer, and a store that is down is no reason to kill the
processes that wait for it.  *Readyz* asks everything that accepting a message needs.  A part that is only
wanted (Redis) makes it degraded, not unready.

A probe returns an empty text, or a short reason.  All run at once under one time limit, one round at a time,
and the answer is given again for a moment, so that no number of callers can load a store.  Reasons are words,
not addresses: these pages are open to everybody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import gevent
from gevent.lock import Semaphore

from gateway.domain.errors import SwitchboardError
from gateway.domain.http import Request, Response, json_response, text_response
from gateway.settings.server import ServerSettings

__all__ = ["Health", "Probe"]

#: Returns why a part cannot be used now, or an empty text.  Raising is a reason as well.
Probe = Callable[[], str]

_NOT_CACHED = (("Cache-Control", "no-store"),)


class Health:
    """The two pages of one process."""

    def __init__(
        self,
        settings: ServerSettings,
        *,
        required: Mapping[str, Probe],
        wanted: Mapping[str, Probe],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._required = required
        self._wanted = wanted
        self._clock = clock
        self._one_round = Semaphore()
        self._reasons: dict[str, str] = {}
        self._asked_at = float("-inf")

    def healthz(self, request: Request) -> Response:
        """Answer 200: the loop runs."""
        return text_response("ok\n", headers=_NOT_CACHED)

    def readyz(self, request: Request) -> Response:
        """Answer 200 if messages can be accepted, else 503; either way with each part's state."""
        reasons = self._current()
        ready = not any(reasons[name] for name in self._required)
        body = {
            "ready": ready,
            "degraded": any(reasons[name] for name in self._wanted),
            "checks": {
                name: {"ok": not reason, "required": name in self._required, "reason": reason}
                for name, reason in reasons.items()
            },
        }
        return json_response(body, 200 if ready else 503, _NOT_CACHED)

    def _current(self) -> dict[str, str]:
        with self._one_round:
            if self._clock() - self._asked_at >= self._settings.probe_fresh_s:
                self._reasons = self._ask({**self._required, **self._wanted})
                self._asked_at = self._clock()
            return self._reasons

    def _ask(self, probes: Mapping[str, Probe]) -> dict[str, str]:
        asked = {name: gevent.spawn(_reason, probe) for name, probe in probes.items()}
        gevent.joinall(list(asked.values()), timeout=self._settings.probe_timeout_s)
        late = [greenlet for greenlet in asked.values() if not greenlet.dead]
        reasons = {
            name: one.value if isinstance(one.value, str) else "no answer in time"
            for name, one in asked.items()
        }
        # Killed, not awaited: what hangs in one store must not hold back the answer about the others.
        gevent.killall(late, block=False)
        return reasons


def _reason(probe: Probe) -> str:
    try:
        return probe()
    except SwitchboardError as error:
        return error.reason
    except Exception as error:
        # A probe that fails in a way nobody thought of is a part that cannot be trusted.
        return type(error).__name__
