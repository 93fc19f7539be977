"""The circuit breaker's shell: a clock, a draw, and the telling of what the health decided.

The decisions are in :mod:`gateway.domain.resilience.health`.  What a call's end says about its endpoint stands here.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway import telemetry
from gateway.domain.errors import CallFailed
from gateway.domain.resilience.health import (
    Cause,
    Change,
    Event,
    Health,
    HealthRules,
    HealthView,
    Permit,
    Refused,
    State,
    Verdict,
)
from gateway.rpc.clock import Clock
from gateway.rpc.errors import OVER_OUR_BOUND, CallRefused, CallTimeout, ConnectFailed, InvalidCall
from gateway.settings.rpc import RpcSettings

__all__ = ["Breaker", "OnCircuit", "judge_error", "judge_status"]

#: Hears of every change of a circuit: its endpoint's label, and what changed.
OnCircuit = Callable[[str, Change], None]

_OK = (Verdict.OK, Cause.CALL)
_FAILED = (Verdict.FAILED, Cause.CALL)
_IGNORED = (Verdict.IGNORED, Cause.CALL)
_PUSHBACK = (Verdict.FAILED, Cause.PUSHBACK)
_NO_CONNECTION = (Verdict.FAILED, Cause.CONNECT)

#: Reasons of failures that were made on this side.
OURS = OVER_OUR_BOUND | {"address_not_allowed", "dns_full", "local", "tls_ca_file"}
#: Reasons of failures to look a name up.
NAME_FAILED = frozenset({"dns_timeout", "unknown_host"})


def judge_status(status: int, *, pushback_counts: bool = True) -> tuple[Verdict, Cause]:
    """Return what an answer's head says about its endpoint: a 4xx is our mistake, and its health.

    *pushback_counts* is False where a 429 is one account's matter, and not everybody's.
    """
    if status == 429:
        return _PUSHBACK if pushback_counts else _IGNORED
    return _FAILED if status >= 500 else _OK


def judge_error(error: BaseException, *, waited_s: float, patience_s: float) -> tuple[Verdict, Cause]:
    """Return what an attempt's failure says about its endpoint, which had *waited_s* to answer.

    What failed on this side says nothing: killed greenlets, refusals of our own, no descriptor left, an answer that was
    over our own bound, a reader who came late, and time that ran out before *patience_s* had passed.
    """
    if not isinstance(error, CallFailed) or isinstance(error, InvalidCall) or error.reason in OURS:
        return _IGNORED
    if isinstance(error, CallTimeout) and error.cut_short:
        if error.by_reader or waited_s < patience_s:
            return _IGNORED
        return _NO_CONNECTION if error.sent == "never" else _FAILED
    # A name that cannot be looked up is no word about who bears it, and may be about many at once.
    if isinstance(error, ConnectFailed) and error.reason not in NAME_FAILED:
        return _NO_CONNECTION
    return _FAILED


class Breaker:
    """The circuit of one endpoint."""

    __slots__ = ("_clock", "_draw", "_label", "_on_circuit", "_told", "health")

    def __init__(
        self,
        label: str,
        settings: RpcSettings,
        *,
        clock: Clock,
        draw: Callable[[], float],
        on_circuit: OnCircuit | None = None,
    ) -> None:
        self._label = label
        self._clock = clock
        self._draw = draw
        self._on_circuit = on_circuit
        self._told: Change | None = None
        #: What decides.  Who changes it directly calls ``tell`` afterwards.
        self.health = Health(
            HealthRules(
                window_s=settings.breaker_window_s,
                calls_min=settings.breaker_calls_min,
                failure_ratio=settings.breaker_failure_ratio,
                slow_ratio=settings.breaker_slow_ratio,
                connect_failures_max=settings.breaker_connect_failures_max,
                open_base_s=settings.breaker_open_base_s,
                open_max_s=settings.breaker_open_max_s,
                probes=settings.breaker_probes,
            )
        )

    def __repr__(self) -> str:
        return f"<Breaker {self._label} {self.health!r}>"

    @property
    def state(self) -> State:
        """The circuit's state."""
        return self.health.state

    def admit(self, now: float, lease_s: float) -> Permit:
        """Return the permit for one call that takes at most *lease_s*, or raise :exc:`CallRefused`."""
        permit = self.health.admit(now, lease_s)
        if self.health.last_change is not self._told:
            self.tell()
        if permit.__class__ is Refused:
            raise self._refusal(permit)
        return permit  # type: ignore[return-value]  # isinstance would cost more than the decision

    def settle(self, permit: Permit, judgement: tuple[Verdict, Cause], now: float, was_slow: bool) -> None:
        """Take a call's end; *was_slow* if ``note_slow`` was told of it."""
        health = self.health
        if judgement is _OK:
            health.settle(permit, Verdict.OK, now, 0.0, Cause.CALL, was_slow)
        else:
            health.settle(permit, judgement[0], now, self._draw(), judgement[1], was_slow)
        if health.last_change is not self._told:
            self.tell()

    def note_slow(self, permit: Permit) -> None:
        """Take notice that a call under way has become slow."""
        self.health.note_slow(permit, self._clock(), self._draw())
        self.tell()

    def probed(self, ok: bool) -> None:
        """Take the end of an active probe."""
        self.health.probed(ok, self._clock(), self._draw())
        self.tell()

    def cool(self, reason: str) -> None:
        """End an open circuit's time, so that the next call is its probe."""
        self.health.cool(self._clock(), reason)
        self.tell()

    def suspect(self) -> None:
        """Take a hint: another process sees it sick."""
        self.health.suspect(self._clock())

    def peer_recovered(self) -> None:
        """Take a hint: another process sees it well again."""
        self.health.peer_recovered(self._clock())
        self.tell()

    def command(self, event: Event) -> None:
        """Do an operator's word: one of the commands of :mod:`gateway.domain.resilience.health`."""
        self.health.apply(event, now=self._clock(), jitter=self._draw(), reason="operator")
        self.tell()

    def view(self) -> HealthView:
        """Return what a person is shown."""
        return self.health.view(self._clock())

    def tell(self) -> None:
        """Say what changed since this was said last."""
        change = self.health.last_change
        if change is self._told or change is None:
            return
        self._told = change
        telemetry.event(
            "breaker.changed",
            endpoint=self._label,
            before=change.before.value,
            after=change.after.value,
            reason=change.reason,
        )
        if self._on_circuit is not None:
            self._on_circuit(self._label, change)

    def _refusal(self, refused: object) -> CallRefused:
        assert isinstance(refused, Refused)
        return CallRefused(
            f"the circuit to {self._label} is {self.health.state.value} (rpc.breaker_*; `switchboard breakers list`)",
            reason=f"breaker_{refused.reason}",
            retry_after_s=refused.retry_after_s,
        )
