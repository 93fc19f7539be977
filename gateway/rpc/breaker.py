"""The circuit breaker's shell: a clock, a draw, and the telling of what the table decided.

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
from gateway.rpc.errors import CallRefused, CallTimeout, ConnectFailed, InvalidCall
from gateway.rpc.timeouts import Clock
from gateway.settings.rpc import RpcSettings

__all__ = ["Breaker", "judge_error", "judge_status"]

_OK = (Verdict.OK, Cause.CALL)
_FAILED = (Verdict.FAILED, Cause.CALL)
_IGNORED = (Verdict.IGNORED, Cause.CALL)
_PUSHBACK = (Verdict.FAILED, Cause.PUSHBACK)
_NO_CONNECTION = (Verdict.FAILED, Cause.CONNECT)


def judge_status(status: int) -> tuple[Verdict, Cause]:
    """Return what an answer says about its endpoint: a 4xx is our mistake, and its health."""
    if status == 429:
        return _PUSHBACK
    return _FAILED if status >= 500 else _OK


def judge_error(error: BaseException, status: int, *, patience_s: float) -> tuple[Verdict, Cause]:
    """Return what a call's failure says about its endpoint; *status* is 0 if no answer's head came.

    Killed greenlets, refusals of our own and calls that had no time to begin with say nothing.
    """
    if isinstance(error, ConnectFailed):
        return _NO_CONNECTION
    if isinstance(error, CallTimeout) and error.by_deadline:
        fair = error.sent != "never" and error.waited_s >= patience_s
        return _FAILED if fair else _IGNORED
    if isinstance(error, CallFailed) and not isinstance(error, InvalidCall):
        return _FAILED
    answered = judge_status(status) if status else _IGNORED
    return answered if answered[0] is Verdict.FAILED else _IGNORED


class Breaker:
    """The circuit of one endpoint."""

    __slots__ = ("_clock", "_draw", "_health", "_name", "_told")

    def __init__(self, name: str, settings: RpcSettings, *, clock: Clock, draw: Callable[[], float]) -> None:
        self._name = name
        self._clock = clock
        self._draw = draw
        self._told: Change | None = None
        self._health = Health(
            HealthRules(
                window_s=settings.breaker_window_s,
                calls_min=settings.breaker_calls_min,
                failure_ratio=settings.breaker_failure_ratio,
                connect_failures_max=settings.breaker_connect_failures_max,
                open_base_s=settings.breaker_open_base_s,
                open_max_s=settings.breaker_open_max_s,
                probes=settings.breaker_probes,
            )
        )

    def __repr__(self) -> str:
        return f"<Breaker {self._name} {self._health!r}>"

    @property
    def state(self) -> State:
        """The circuit's state."""
        return self._health.state

    def admit(self, now: float, *, lease_s: float) -> Permit:
        """Return the permit for one call that takes at most *lease_s*, or raise :exc:`CallRefused`."""
        permit = self._health.admit(now, lease_s=lease_s)
        self._tell()
        if isinstance(permit, Refused):
            raise CallRefused(
                f"the circuit to {self._name} is {self._health.state.value} (rpc.breaker_*)",
                reason=f"breaker_{permit.reason}",
                retry_after_s=permit.retry_after_s,
            )
        return permit

    def settle(self, permit: Permit, judgement: tuple[Verdict, Cause]) -> None:
        """Take a call's end."""
        verdict, cause = judgement
        jitter = self._draw() if verdict is Verdict.FAILED else 0.0
        self._health.settle(permit, verdict, now=self._clock(), jitter=jitter, cause=cause)
        self._tell()

    def command(self, event: Event) -> None:
        """Do an operator's word: one of the commands of :mod:`gateway.domain.resilience.health`."""
        self._health.apply(event, now=self._clock(), jitter=self._draw(), reason="operator")
        self._tell()

    def view(self) -> HealthView:
        """Return what a person is shown."""
        return self._health.view(self._clock())

    def _tell(self) -> None:
        change = self._health.last_change
        if change is self._told or change is None:
            return
        self._told = change
        telemetry.event(
            "breaker.changed",
            endpoint=self._name,
            before=change.before.value,
            after=change.after.value,
            reason=change.reason,
        )
