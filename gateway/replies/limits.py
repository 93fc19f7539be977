"""What a platform takes of us: asked before each send, for everything that the platform counts it under.

- Buckets are shared by all processes, through Redis.  A message that finds no room books the next place and comes back
  for it; an edit or a sign of life is told to wait, and leaves room for messages.
- A platform that says "too many" pauses what that send was counted under, in all processes, and nothing else.
- Neither open nor closed: while Redis is away each process goes by buckets of its own, which get its share of the
  rates.  Open would send a crowd to a platform that punishes for it, closed would send nothing at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.domain.quota import Scope, Urgency
from gateway.domain.token_bucket import Taken, TokenBucket
from gateway.store.rate_limits import RateLimits, bucket_key

__all__ = ["Limits"]

Answer = TypeVar("Answer")

#: Seconds ahead for which a message books its place; where that is not enough it asks again later.
_AHEAD_MAX_S = 60.0
#: Seconds for which Redis is not asked after it did not answer: each send would wait for its timeout.
_AWAY_S = 1.0
#: Seconds until another process may do what this one leaves to those who share the rates while Redis is away.
_ELSEWHERE_S = 0.05
#: Seconds by which a timer may be early.
_EARLY_S = 0.02
#: Seconds for which a booked place is kept for one that does not come.
_LATE_S = 60.0
#: Places and buckets in memory above which those that are over are forgotten; and again at twice what is left, or each
#: one more would cost a look at all.
_KEPT_MAX = 10_000


class Limits:
    """Says when something may be sent."""

    def __init__(
        self, shared: RateLimits, *, share: Callable[[], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """*share*: of all sends, those that are this process's to make."""
        self._shared = shared
        self._share = share
        self._clock = clock
        #: By who booked it: when it may be used (monotonic seconds).
        self._booked: dict[int, float] = {}
        self._booked_max = _KEPT_MAX
        self._own: dict[str, TokenBucket] = {}
        self._own_max = _KEPT_MAX
        self._away_until = float("-inf")
        self._alone = False

    def __repr__(self) -> str:
        return f"<Limits: {len(self._booked)} places booked, {len(self._own)} buckets of its own>"

    def wait_s(
        self,
        owner: str,
        scopes: Sequence[Scope],
        *,
        holder: int,
        urgency: Urgency = Urgency.FINAL,
        books: bool = True,
    ) -> float:
        """Return 0 if *holder* may send now, else the seconds after which it is to ask again.

        *owner* is whose scopes they are: a channel's account.  A *holder* that asks again gets what it has booked; one
        that will not ask again, because another process will, *books* nothing, and sends nothing while Redis is away.
        """
        if not scopes:
            return 0.0
        now = self._clock()
        ready_at = self._booked.pop(holder, None)
        if ready_at is not None and now < ready_at + _LATE_S:
            if now < ready_at - _EARLY_S:
                self._booked[holder] = ready_at
                return ready_at - now
            if self._paused_for_s(owner, scopes) <= 0:
                return 0.0
            # A pause took away what was booked for its time.
        # What is not urgent is worth nothing later.
        ahead_s = _AHEAD_MAX_S if books and urgency is Urgency.FINAL else 0.0
        taken = self._ask(
            lambda: self._shared.take(owner, scopes, reserve=urgency.reserve, ahead_max_s=ahead_s)
        )
        if taken is None:
            if not books:
                return _ELSEWHERE_S
            taken = self._take_own(owner, scopes, urgency, ahead_s, self._clock())
        if taken.booked:
            self._book(holder, now + taken.wait_s, now)
        return taken.wait_s

    def pause(self, owner: str, scopes: Sequence[Scope], pause_s: float) -> None:
        """Have nothing sent of these for *pause_s*: the platform said so."""
        if not scopes:
            return
        now = self._clock()
        for scope in scopes:
            rate, burst = self._part(scope)
            bucket = self._own.get(bucket_key(owner, scope), TokenBucket())
            self._keep(owner, scope, bucket.pause(now, pause_s, rate_per_s=rate, burst=burst), now)
        self._ask(lambda: self._shared.pause(owner, scopes, pause_s))

    def _paused_for_s(self, owner: str, scopes: Sequence[Scope]) -> float:
        paused_s = self._ask(lambda: self._shared.paused_for_s(owner, scopes))
        if paused_s is not None:
            return paused_s
        now = self._clock()
        buckets = [self._own.get(bucket_key(owner, scope), TokenBucket()) for scope in scopes]
        return max(bucket.paused_for_s(now) for bucket in buckets)

    def _take_own(
        self, owner: str, scopes: Sequence[Scope], urgency: Urgency, ahead_s: float, now: float
    ) -> Taken:
        worst, left = Taken(0.0), []
        for scope in scopes:
            rate, burst = self._part(scope)
            bucket, taken = self._own.get(bucket_key(owner, scope), TokenBucket()).take(
                now, rate_per_s=rate, burst=burst, reserve=urgency.reserve * burst, ahead_max_s=ahead_s
            )
            left.append((scope, bucket))
            worst = max(worst, taken, key=lambda answer: answer.wait_s)
        if worst.wait_s <= ahead_s:
            for scope, bucket in left:
                self._keep(owner, scope, bucket, now)
        return worst

    def _part(self, scope: Scope) -> tuple[float, float]:
        """Return the rate and burst of this process's own bucket."""
        share = min(1.0, max(self._share(), 1 / 32))
        return scope.rate_per_s * share, max(1.0, scope.burst * share)

    def _keep(self, owner: str, scope: Scope, bucket: TokenBucket, now: float) -> None:
        if len(self._own) >= self._own_max:
            self._own = {key: kept for key, kept in self._own.items() if kept.full_at > now}
            self._own_max = max(_KEPT_MAX, 2 * len(self._own))
        self._own[bucket_key(owner, scope)] = bucket

    def _book(self, holder: int, ready_at: float, now: float) -> None:
        if len(self._booked) >= self._booked_max:
            self._booked = {key: at for key, at in self._booked.items() if at + _LATE_S > now}
            self._booked_max = max(_KEPT_MAX, 2 * len(self._booked))
        self._booked[holder] = ready_at

    def _ask(self, ask: Callable[[], Answer]) -> Answer | None:
        """Return what Redis says, or None: it is away."""
        if self._clock() < self._away_until:
            return None
        try:
            answer = ask()
        except StoreUnavailable as error:
            if not self._alone:
                self._alone = True
                telemetry.event("limits.alone", reason=error.reason)
            self._away_until = self._clock() + _AWAY_S
            return None
        self._alone = False
        return answer
