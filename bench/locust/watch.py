"""Whether the generator itself was the limit: its processor time, and how late it was against its own plan.

Pure but for :class:`Clock`.
"""

from __future__ import annotations

import time
from array import array
from pathlib import Path

import msgspec

from bench.report import percentile

__all__ = ["LATE_START_S_MAX", "SHARE_MAX", "WAITED_MAX", "Clock", "Generator", "Watch"]

#: From this share of its time on it had none left.
SHARE_MAX = 0.95
#: A hundredth of all messages may leave later than this.
LATE_START_S_MAX = 0.05
#: Who waits for the core longer than this share of the time is disturbed.
WAITED_MAX = 0.15
#: Of the thread that does everything: nanoseconds that it ran, and that it was ready to run and did not.
#: https://docs.kernel.org/scheduler/sched-stats.html
_SCHEDSTAT = Path("/proc/self/schedstat")


class Generator(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator was busy with, while messages left."""

    took_s: float
    #: Processor seconds of its own over those; it has one core.
    share: float
    #: Seconds in which it would have gone on, had others left it the core, over the same.
    waited_share: float
    #: For one message, with its deliveries, its answer and its user's share of everything else.
    us_a_message: float
    #: How much later than meant messages left that nothing but the generator held up.
    late_p99_s: float
    late_max_s: float

    @property
    def busy_share(self) -> float:
        """How much of its time it had something to do."""
        return self.share + self.waited_share

    @property
    def limit(self) -> str:
        """Return why the numbers say more about the generator than about the deployment; mostly an empty text."""
        used = f"it used {self.share:.0%} of its core and waited for it for {self.waited_share:.0%} of the time"
        late = f"a hundredth of all messages left {1e3 * self.late_p99_s:,.0f} ms late or more"
        if self.busy_share >= SHARE_MAX:
            return f"limited by the generator: {used}{'; disturbed: others had it meanwhile' * self._is_disturbed}"
        if self.late_p99_s < LATE_START_S_MAX:
            return ""
        if self._is_disturbed:
            return f"disturbed: others had the generator's core, and {late}; {used}"
        return f"limited by the generator: {late}; {used}"

    @property
    def _is_disturbed(self) -> bool:
        return self.waited_share > WAITED_MAX

    @property
    def text(self) -> str:
        """Return it as a line."""
        return (
            f"{self.share:.0%} of its core, waited for it for {self.waited_share:.0%} of the time; "
            f"{self.us_a_message:,.0f} µs a message; messages left late by p99 {1e3 * self.late_p99_s:,.1f} ms, "
            f"greatest {1e3 * self.late_max_s:,.0f} ms"
        )


class Clock(msgspec.Struct, frozen=True):
    """What this process has used so far, in seconds."""

    at_s: float
    busy_s: float
    #: 0 where the system does not tell.
    waited_s: float

    @classmethod
    def now(cls) -> Clock:
        """Look."""
        try:
            waited_s = int(_SCHEDSTAT.read_text().split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            waited_s = 0.0
        return cls(time.perf_counter(), time.process_time(), waited_s)


class Watch:
    """Collects how late messages left."""

    def __init__(self) -> None:
        self._late_s: array[float] = array("d")

    def woke(self, late_s: float) -> None:
        """Know how long after its instant a user who had waited for it came to speak.

        Who had no time to wait, because a delivery took longer than they meant to think, tells nothing of us.
        """
        self._late_s.append(max(0.0, late_s))

    def generator(self, began: Clock, ended: Clock, *, messages: int) -> Generator:
        """Return what it comes to, between two looks."""
        late_s = self._late_s or array("d", [0.0])
        took_s = max(ended.at_s - began.at_s, 1e-9)
        return Generator(
            took_s=took_s,
            share=(ended.busy_s - began.busy_s) / took_s,
            waited_share=(ended.waited_s - began.waited_s) / took_s,
            us_a_message=1e6 * (ended.busy_s - began.busy_s) / max(1, messages),
            late_p99_s=percentile(late_s, 0.99),
            late_max_s=max(late_s),
        )
