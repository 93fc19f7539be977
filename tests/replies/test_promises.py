"""Waiting callers on a clock of the test's: who promises, how long one waits, and who becomes the sender."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import gevent
import pytest

from gateway.domain.errors import StoreUnavailable
from gateway.domain.reply import Reply, Text
from gateway.replies.results import PROMISED_S, Delivered, Expectation, Results
from gateway.store.ledger.results import Result
from tests.support.waiting import GUARD_S, until

TURN = 7
REPLY = Reply((Text("an answer"),))
NOW_S = 1_000.0


@pytest.fixture(autouse=True)
def _guard() -> Iterator[None]:
    with gevent.Timeout(GUARD_S):
        yield


class Clock:
    now = NOW_S

    def __call__(self) -> float:
        return self.now


class Elsewhere:
    """A ledger in which turns end elsewhere."""

    def __init__(self) -> None:
        self.ended: list[Result] = []
        self.asked: list[list[int]] = []
        self.away = 0

    def lookup(self, turn_ids: Sequence[int]) -> list[Result]:
        self.asked.append(list(turn_ids))
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away", reason="away", retry_after_s=1)
        return [result for result in self.ended if result.turn_id in turn_ids]

    def claim(self, turn_ids: Sequence[int]) -> dict[int, list[int]]:
        return {turn_id: [turn_id * 10] for turn_id in turn_ids}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def results(elsewhere: Elsewhere, clock: Clock) -> Results:
    return Results(elsewhere.lookup, elsewhere.claim, lambda _: None, poll_s=GUARD_S, clock=clock)


def reply(*rows: int) -> Delivered:
    return Delivered(TURN, "answered", REPLY, outbox_ids=rows)


def test_a_caller_promises_only_while_it_has_the_time(results: Results, clock: Clock) -> None:
    expectation = results.expect(TURN, NOW_S + 5)
    clock.now += 4.95
    assert not results.promise(TURN)
    clock.now -= 1
    assert results.promise(TURN)
    assert expectation.promised
    clock.now += 10
    assert results.promise(TURN), "a promise is kept"


def test_without_a_caller_nobody_promises(results: Results) -> None:
    assert not results.promise(TURN)
    expectation = results.expect(TURN, NOW_S + 5)
    assert not results.promise(TURN + 1)
    results.forget(expectation)
    assert not results.promise(TURN)


def test_of_several_callers_one_promise_is_enough(results: Results) -> None:
    callers = [results.expect(TURN, NOW_S + 5) for _ in range(3)]
    assert results.promise(TURN)
    assert [caller.promised for caller in callers] == [True, False, False]


def test_all_callers_get_the_reply_and_one_of_them_its_rows(results: Results) -> None:
    """Law: a repeat is told the same again, but a row has one sender."""
    late = results.expect(TURN, NOW_S + 0.01)
    callers = [late, results.expect(TURN, NOW_S + 5), results.expect(TURN, NOW_S + 5)]
    assert results.promise(TURN)
    assert results.deliver(reply(1, 2))
    told = [caller.wait() for caller in callers]
    assert [one and one.reply for one in told] == [REPLY] * 3
    assert [one and one.outbox_ids for one in told] == [(), (1, 2), ()]


def test_a_reply_nobody_promised_to_take_has_no_sender(results: Results) -> None:
    caller = results.expect(TURN, NOW_S + 5)
    assert not results.deliver(reply())
    assert caller.wait() == reply()


def test_a_caller_who_promised_and_left_is_no_sender(results: Results) -> None:
    """Law: then the reply goes the channel's other way; it is told by this answer."""
    caller = results.expect(TURN, NOW_S + 5)
    assert results.promise(TURN)
    results.forget(caller)
    assert not results.deliver(reply(1))


def test_a_caller_waits_as_long_as_it_said(results: Results, clock: Clock) -> None:
    caller = results.expect(TURN, NOW_S + 0.02)
    assert caller.wait() is None
    clock.now += 60
    assert caller.wait() is None, "no time is left at all"


def test_a_caller_who_promised_waits_a_little_longer(results: Results, clock: Clock) -> None:
    """Law: the settle that counts on it is under way."""
    caller = results.expect(TURN, NOW_S + 1)
    assert results.promise(TURN)
    clock.now += 1
    waiting = gevent.spawn(caller.wait)
    gevent.idle()
    assert not waiting.ready()
    results.deliver(reply(1))
    assert waiting.get() == reply(1)


def test_a_caller_who_promised_does_not_wait_for_ever(results: Results, clock: Clock) -> None:
    caller = results.expect(TURN, NOW_S + 1)
    assert results.promise(TURN)
    clock.now += 1 + PROMISED_S
    assert caller.wait() is None


def test_a_result_that_comes_as_the_time_runs_out_is_not_lost(results: Results, clock: Clock) -> None:
    """Law: it carries rows that this caller is now the sender of."""
    caller = results.expect(TURN, NOW_S + 1)
    assert results.promise(TURN)
    results.deliver(reply(1))
    clock.now += 60
    assert caller.wait() == reply(1)


def test_forgetting_is_safe_twice_and_leaves_nothing_behind(results: Results) -> None:
    one, other = results.expect(TURN, NOW_S), results.expect(TURN, NOW_S)
    results.forget(one)
    results.forget(one)
    assert len(results) == 1
    results.forget(other)
    assert len(results) == 0


# Turns that end elsewhere


def test_a_hint_brings_the_look_forward_and_only_for_a_turn_that_is_waited_for(
    results: Results, elsewhere: Elsewhere
) -> None:
    caller = results.expect(TURN, NOW_S + 5)
    polling = gevent.spawn(results.poll_forever)
    results.hint(TURN + 1)
    gevent.idle()
    assert elsewhere.asked == []
    elsewhere.ended = [Result(TURN, "answered", REPLY)]
    results.hint(TURN)
    assert caller.wait() == reply(TURN * 10)
    assert elsewhere.asked == [[TURN]]
    polling.kill()


def test_one_look_asks_for_all_turns_that_are_waited_for(elsewhere: Elsewhere) -> None:
    """Law: one query a process, however many wait."""
    results = Results(elsewhere.lookup, elsewhere.claim, lambda _: None, poll_s=0.01)
    polling = gevent.spawn(results.poll_forever)
    callers = [_expect(results, number) for number in range(50)]
    elsewhere.ended = [Result(number, "failed", REPLY, "timeout") for number in range(50)]
    told = [caller.wait() for caller in callers]
    assert elsewhere.asked[0] == list(range(50))
    assert [(one.state, one.reason, one.outbox_ids) for one in told if one] == [
        ("failed", "timeout", (number * 10,)) for number in range(50)
    ]
    polling.kill()


def test_looking_goes_on_after_the_store_was_away(elsewhere: Elsewhere) -> None:
    results = Results(elsewhere.lookup, elsewhere.claim, lambda _: None, poll_s=0.01)
    elsewhere.away = 2
    caller = _expect(results, TURN)
    elsewhere.ended = [Result(TURN, "answered", REPLY)]
    polling = gevent.spawn(results.poll_forever)
    assert caller.wait() == reply(TURN * 10)
    until("three looks", lambda: len(elsewhere.asked) >= 3)
    polling.kill()


def _expect(results: Results, turn_id: int) -> Expectation:
    """A caller with time to spare on the real clock."""
    return results.expect(turn_id, time.monotonic() + GUARD_S)
