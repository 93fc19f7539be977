"""The pool against a model: any order of calls, ends, deaths, moves and time, with a clock that the test moves."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from gateway.rpc.connection import Connection
from gateway.rpc.errors import CallRefused, ConnectFailed
from tests.rpc.idle import House, wire
from tests.support.examples import examples

IDLE_MAX_S, AGE_S = 3.0, 300.0


class PoolModel(RuleBasedStateMachine):
    """What is idle, in the order in which it was given back, and what is out."""

    out = Bundle("out")

    def __init__(self) -> None:
        super().__init__()
        self.house = House(idle_max_s=IDLE_MAX_S)
        self.idle: list[Connection] = []
        self.busy: set[Connection] = set()
        self.stopped = False
        #: Whose address was found to be gone by a sweep.
        self.retired: set[Connection] = set()
        self.swept_at = 0

    def fit(self, connection: Connection) -> bool:
        """Whether *connection*, which lies idle, may serve another call."""
        now = self.house.now
        return (
            now - connection.idle_since < IDLE_MAX_S
            and connection.expires_at > now
            and connection not in self.retired
            and wire(connection).address in self.house.opener.current
            and wire(connection).quiet
        )

    @rule(target=out)
    def acquire(self) -> Connection | None:
        if self.stopped:
            with pytest.raises(CallRefused):
                self.house.acquire()
            return None
        got = self.house.acquire()
        while self.idle:
            expected = self.idle.pop()
            if self.fit(expected):
                assert got is expected, "the youngest that is fit"
                break
            assert wire(expected).closed == 1, "and what is unfit above it is closed"
        else:
            assert got is self.house.opener.opened[-1], "a new one only when none is fit"
        self.busy.add(got)
        return got

    @rule(error=st.sampled_from([ConnectFailed("refused", reason="refused"), KeyboardInterrupt()]))
    def fail_to_open(self, error: BaseException) -> None:
        if self.stopped or any(self.fit(each) for each in self.idle):
            return
        self.house.opener.fail_with = error
        with pytest.raises(type(error)):
            self.house.acquire()
        self.house.opener.fail_with = None
        self.idle.clear()

    @rule(connection=consumes(out))
    def release(self, connection: Connection | None) -> None:
        if connection is None:
            return
        self.busy.remove(connection)
        self.house.release(connection)
        if self.stopped or connection.expires_at <= self.house.now or connection in self.retired:
            assert wire(connection).closed == 1
        else:
            self.idle.append(connection)

    @rule(connection=consumes(out))
    def discard(self, connection: Connection | None) -> None:
        if connection is not None:
            self.busy.remove(connection)
            self.house.pool.discard(connection)
            assert wire(connection).closed == 1

    @rule(target=out, connection=consumes(out))
    def replace(self, connection: Connection | None) -> Connection | None:
        if connection is None or self.stopped:
            return connection
        self.busy.remove(connection)
        got = self.house.pool.replace(connection, self.house.budget())
        self.idle = [each for each in self.idle if wire(each).quiet]
        self.busy.add(got)
        return got

    @rule(index=st.integers(0, 5))
    def server_closes(self, index: int) -> None:
        if self.idle:
            wire(self.idle[index % len(self.idle)]).quiet = False

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.9, 3.0, 299.0]))
    def time_passes(self, seconds: float) -> None:
        self.house.now += seconds

    @rule(still_there=st.booleans())
    def name_changes(self, still_there: bool) -> None:
        self.house.opener.generation += 1
        self.house.opener.current = {"10.0.0.1"} if still_there else {"10.0.0.2"}

    @rule()
    def sweep(self) -> None:
        self.house.pool.sweep()
        kept = [
            each for each in self.idle
            if wire(each).quiet and self.house.now - each.idle_since < IDLE_MAX_S
        ]  # fmt: skip
        self.idle = kept
        if self.house.opener.generation != self.swept_at:
            self.swept_at = self.house.opener.generation
            self.retired |= {
                each for each in self.busy | set(kept) if wire(each).address not in self.house.opener.current
            }

    @rule(now=st.sampled_from([False] * 19 + [True]))  # seldom: nothing much happens after it
    def stop(self, now: bool) -> None:
        if not now:
            return
        self.house.pool.stop()
        self.stopped = True
        self.idle.clear()

    @invariant()
    def the_books_are_right(self) -> None:
        assert (self.house.pool.idle, self.house.pool.busy) == (len(self.idle), len(self.busy))
        for connection in self.house.opener.opened:
            alive = connection in self.busy or connection in self.idle
            assert wire(connection).closed == (0 if alive else 1), "closed once, and only when it is in no book"


PoolModel.TestCase.settings = settings(max_examples=examples(400), stateful_step_count=50, deadline=None)
TestPoolModel = PoolModel.TestCase
