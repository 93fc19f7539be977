"""How many calls an endpoint copes with at once, learned from how long its calls take.

Rules:

1. It begins at the ceiling: a gateway must not shed its first burst.  The floor always holds.
2. Decisions are made by window: at least ``samples_min`` calls over at least ``window_s``.  Behind a change of the
   limit two round trips are left out, so that the calls that were under way at the old one do not judge the new.
   They are left out by when they end: leaving out those that *began* before would leave the short ones.  Only of
   dropped calls it is the beginning that counts, for the last timeout comes long after an endpoint is back.
3. A window's round trip is the *geometric* mean.  One call of a thousand times the usual length moves it by a
   seventh; answers of which one takes ten times as long as another, as a language model's do, neither swing it as they
   would a mean nor make it jump as they would a median.
4. The *baseline* is the round trip without queueing.  It falls fast.  It rises slowly, and only while less than half
   of the limit is in use or the limit is at its floor: an overload, however long, is never learned as normal.
5. Up to ``tolerance`` times the baseline is borne, and the limit grows by its root, up to four times that the more
   headroom there is, but only while at least half of it is in use: what was not tried proves nothing.
6. Above it, a limit that is in use falls to what the endpoint could have served in time: in a queue the round trip is
   proportional to the calls under way.  The root is added here too.  It is what shares an endpoint between gateways:
   for one round trip, which all of them see, there is one limit that falls by as much as it grows.
7. A limit that is not in use falls too, yet only to the neighbourhood of what is: so nobody is shed while the baseline
   follows an endpoint that has become slower for good.
8. Dropped calls weigh like very long ones.  A window of which half were dropped says nothing else: a quarter is left.
   For that, twenty dropped calls are a window.
9. The first baseline may be too low, because of a burst the shortest calls end first.  It is corrected, once: if the
   round trip does not grow on as a queue does, before anybody is shed for it; else if the fall brings no relief.
10. After ``calm_s`` without load what was learned is forgotten step by step, up to the ceiling.

What this costs: an endpoint that becomes slower for good by more than the tolerance, just while its limit is in use
(soon after an overload, therefore), looks like one that others overload.  It gets less than it could take until there
is a quiet moment.

Pure: time (monotonic seconds) is an argument.  An instance belongs to one thread; nothing here yields.  Deliberately
absent: who may enter and who waits, which is the gate's.
"""

from __future__ import annotations

from math import exp, inf, log, sqrt

import msgspec

__all__ = ["ConcurrencyLimit", "LimitRules"]

#: What is left of a limit after the steepest fall of one window.
_FALL_MAX = 0.25
#: The same, where the limit is not in use: there is time.
_FALL_UNUSED_MAX = 0.5
#: How many times what is in use a limit that is not in use is left at.
_SPARE = 4
#: The roots that are added to the limit beside the first when the round trip is the baseline.
_HASTE = 3.0
#: What the limit is multiplied with in each window after a calm.
_RECOVERY = 1.5
#: The share of dropped calls from which on a window says nothing else.
_DROWNED = 0.5
#: Dropped calls that are enough for that, however few other calls there were: not more than open a circuit, or a
#: caller of few calls would be shut out, and come back with a limit that has learned nothing.
_DROPS_MIN = 20
#: The logarithm of how much longer a dropped call was than the others.  One in seven uses up a tolerance of two.
_DROP_WEIGHT = 5.0
#: The share of the way down to a lower round trip that the baseline goes in one window.
_BASELINE_FALL = 0.1
#: How fast the baseline rises, as a logarithm per second: 1.7 % in one, doubled in 42.
_BASELINE_RISE_PER_S = 1 / 60
#: How much two round trips in a row may differ, as a logarithm, by chance.
_CHANCE = 0.25
#: The share of the limit that is all of it, with what is reserved for calls of a higher priority.
_USED_UP = 0.8
#: How much higher, as a logarithm, a round trip is no longer the one by which the first fall was measured.
_WORSE = 0.35
#: Round trips that are left out behind a change.
_SETTLING = 2.0
#: Shorter than any round trip: the logarithm of 0 is none.
_RTT_MIN_S = 1e-6


class LimitRules(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers that decide, with the defaults of ``RpcSettings``."""

    floor: int = 4
    ceiling: int = 1_024
    #: How many times the baseline a round trip may be before the limit falls.
    tolerance: float = 2.0
    window_s: float = 0.25
    samples_min: int = 50
    calm_s: float = 30.0


class ConcurrencyLimit:
    """The limit of one endpoint: ``sample`` or ``drop`` at a call's end, ``limit`` whenever it matters."""

    __slots__ = (
        "_baseline", "_busiest", "_calm_since", "_closed_at", "_drops", "_drowned_at", "_enough",
        "_exact", "_fallen_from", "_logs", "_provisional", "_ripe_at", "_rules", "_samples", "_samples_min",
        "_settled_at", "_suspect", "_tolerated", "limit",
    )  # fmt: skip

    def __init__(self, rules: LimitRules) -> None:
        self._rules = rules
        self._samples_min = rules.samples_min
        self._tolerated = log(rules.tolerance)
        #: Calls that may be under way at once.
        self.limit = self._rules.ceiling
        self._exact = float(self.limit)
        # Round trips that are kept are logarithms.
        self._baseline = inf
        # Until a window stays within the tolerance: the round trip that did not, the limit before it fell on account of
        # it, and how few calls under way are enough to judge the fall by.
        self._provisional = True
        self._suspect = -inf
        self._fallen_from = 0.0
        self._enough = 0.0
        self._calm_since = inf
        self._closed_at = -inf
        # The first window is over as soon as it has its samples, before much of a queue can grow at the endpoint.
        self._settled_at = -inf
        self._drowned_at = -inf
        self._open_window(-inf)

    def __repr__(self) -> str:
        return (
            f"<ConcurrencyLimit {self.limit} of {self._rules.floor} to {self._rules.ceiling},"
            f" baseline {self.baseline_s * 1_000:.1f} ms>"
        )

    @property
    def baseline_s(self) -> float:
        """The round trip without queueing; 0 as long as it is unknown."""
        return 0.0 if self._baseline == inf else exp(self._baseline)

    def _open_window(self, ripe_at: float) -> None:
        self._ripe_at = ripe_at
        self._samples = 0
        self._drops = 0
        self._busiest = 0
        self._logs = 0.0

    def sample(self, now: float, rtt_s: float, in_flight: int) -> None:
        """Take the time to first byte of a call that went well; *in_flight* counts it too."""
        if now < self._settled_at:
            return
        # ``max`` costs five times as much, and this is done for every call.
        self._logs += log(rtt_s if rtt_s > _RTT_MIN_S else _RTT_MIN_S)  # noqa: FURB136
        if in_flight > self._busiest:  # noqa: PLR1730
            self._busiest = in_flight
        self._samples += 1
        if self._samples >= self._samples_min and now >= self._ripe_at:
            self._close_window(now)

    def give_up(self, now: float, waited_s: float, in_flight: int) -> None:
        """Take a call whose caller would not wait longer than *waited_s* for an answer.

        It counts as dropped if an endpoint without load would have answered by then: short patience is no overload.
        """
        if self._baseline == inf or waited_s >= exp(self._baseline + self._tolerated):
            self.drop(now, waited_s, in_flight)

    def drop(self, now: float, waited_s: float, in_flight: int) -> None:
        """Take a call that the endpoint could not cope with, a timeout, 429 or 503, and how long that took."""
        if now < self._settled_at or now - waited_s < self._drowned_at:
            return
        self._drops += 1
        self._busiest = max(self._busiest, in_flight)
        self._samples += 1
        enough = self._samples >= self._samples_min or (
            self._drops >= _DROPS_MIN and self._drops >= _DROWNED * self._samples
        )
        if enough and now >= self._ripe_at:
            self._close_window(now)

    def _close_window(self, now: float) -> None:
        """Decide, and begin the next window."""
        before, share = self._exact, self._drops / self._samples
        if share >= _DROWNED:
            self._exact = min(before, self._busiest) * _FALL_MAX
            self._calm_since = inf
            self._fallen_from = self._exact  # higher it never returns for a doubt
            self._drowned_at = now
        elif self._baseline < inf:
            self._decide(now, self._logs / (self._samples - self._drops), share * _DROP_WEIGHT)
        else:
            self._baseline = self._logs / (self._samples - self._drops)
        self._exact = max(self._rules.floor, min(self._exact, self._rules.ceiling))
        self.limit = int(self._exact)
        if self._exact != before and share < _DROWNED:
            self._settled_at = now + exp(self._logs / (self._samples - self._drops)) * _SETTLING
        self._closed_at = now
        self._open_window(max(now, self._settled_at) + self._rules.window_s)

    def _decide(self, now: float, rtt: float, penalty: float) -> None:
        """Take a window's round trip and what its dropped calls weigh, both as logarithms."""
        exact, busiest = self._exact, self._busiest
        over = rtt - self._baseline - self._tolerated + penalty
        in_use = busiest * 2 >= exact
        if over <= 0.0:
            self._provisional = False
            if in_use:
                headroom = min(1.0, -over / self._tolerated)
                self._exact += sqrt(exact) * (1.0 + _HASTE * headroom)
        elif in_use:
            lowered = min(exact, busiest) * max(_FALL_MAX, exp(-over))
            if not (self._provisional and self._doubt(rtt, lowered, pressed=penalty > 0.0)):
                self._exact = min(exact, lowered + sqrt(lowered))
        else:
            self._exact = max(exact * max(_FALL_UNUSED_MAX, exp(-over)), min(exact, busiest * _SPARE))
        self._learn(now, rtt, in_use)
        self._recover(now, calm=over <= 0.0 and not in_use)

    def _doubt(self, rtt: float, lowered: float, *, pressed: bool) -> bool:
        """Return whether not to fall to *lowered*, although a baseline that nothing has confirmed yet says so."""
        if self._fallen_from == 0.0:
            before, self._suspect = self._suspect, rtt
            if not pressed and self._busiest < self._exact * _USED_UP:
                if before == -inf:
                    return True
                if rtt < before + _CHANCE:  # a queue would have grown
                    self._correct(rtt)
                    return True
            self._fallen_from, self._enough = self._exact, lowered / 2
        elif rtt > self._suspect + _WORSE:
            self._suspect, self._enough = rtt, lowered / 2
        elif self._busiest <= self._enough:
            self._exact = self._fallen_from
            self._correct(rtt)
            return True
        return False

    def _correct(self, rtt: float) -> None:
        self._baseline = rtt
        self._provisional = False

    def _learn(self, now: float, rtt: float, in_use: bool) -> None:
        """Move the baseline."""
        if rtt < self._baseline:
            self._baseline += (rtt - self._baseline) * _BASELINE_FALL
        elif rtt > self._baseline and (not in_use or self._exact < self._rules.floor + 1):
            # A pause teaches no more than a calm: nothing was measured meanwhile.
            risen = self._baseline + min(now - self._closed_at, self._rules.calm_s) * _BASELINE_RISE_PER_S
            self._baseline = min(rtt, risen)

    def _recover(self, now: float, *, calm: bool) -> None:
        """Forget the limit, step by step, after a calm."""
        if not calm:
            self._calm_since = inf
            return
        self._calm_since = min(self._calm_since, self._closed_at)
        if now - self._calm_since >= self._rules.calm_s:
            self._exact *= _RECOVERY
