"""A lane: one turn at a time, in order, until the ledger says that there is nothing more, or that it is another's."""

from __future__ import annotations

import time

import gevent
import pytest

from gateway.domain.errors import Overloaded, StoreRefused, StoreUnavailable, SwitchboardError
from tests.lanes.lane_bench import ACCOUNT, Bench
from tests.support.waiting import until


def unavailable() -> StoreUnavailable:
    return StoreUnavailable("gone", reason="gone", retry_after_s=1)


def ended(bench: Bench) -> None:
    until("all lanes to end", lambda: len(bench.lanes) == 0)


def test_turns_run_in_order_and_one_at_a_time() -> None:
    bench = Bench()
    bench.add(1, 2, 3)
    bench.grant()
    ended(bench)
    assert bench.ran == ["message 1", "message 2", "message 3"]
    assert bench.most_running == 1
    assert [settlement.turn.seq for settlement, _ in bench.told] == [1, 2, 3]


def test_a_turn_accepted_elsewhere_is_found_at_the_settle() -> None:
    """Law: no wake-up is needed; the ledger says what comes next, never memory."""
    bench = Bench()
    bench.add(1)
    gate = bench.hold(1)
    bench.grant()
    until("the first turn", lambda: bench.ran)
    bench.add(2)
    gate.set()
    ended(bench)
    assert bench.ran == ["message 1", "message 2"]


def test_lanes_run_beside_one_another() -> None:
    bench = Bench()
    gate = bench.hold(1)
    for lane in range(1, 6):
        bench.add(1, conversation_id=lane)
        bench.grant(lane)
    until("all five", lambda: bench.running == 5)
    assert len(bench.lanes) == bench.lanes.running(*ACCOUNT) == bench.lanes.running_of("acme") == 5
    gate.set()
    ended(bench)
    assert bench.lanes.running(*ACCOUNT) == bench.lanes.running_of("acme") == 0


# Grants


def test_an_owner_without_the_head_reads_it_from_the_ledger() -> None:
    bench = Bench()
    bench.add(4, 5)
    bench.grant(head=False)
    ended(bench)
    assert bench.ran == ["message 4", "message 5"]


def test_granted_twice_a_lane_runs_once() -> None:
    bench = Bench()
    gate = bench.hold(1)
    bench.add(1)
    for _ in range(3):
        bench.grant()
    until("the turn", lambda: bench.ran)
    bench.grant(head=False)
    gate.set()
    ended(bench)
    assert bench.ran == ["message 1"]


def test_a_grant_that_comes_after_the_end_of_its_lane_starts_nothing() -> None:
    """Law: the answer to an accept may be read after the running lane has served its message; equal fences are one
    lane, and one that the ledger has ended is over."""
    bench = Bench()
    bench.add(1)
    bench.grant()
    ended(bench)
    bench.waiting[1] = []
    bench.add(1)
    bench.grant()
    assert len(bench.lanes) == 0
    bench.fence = 2
    bench.grant()
    ended(bench)
    assert bench.ran == ["message 1", "message 1"]


def test_a_grant_of_an_earlier_life_is_void() -> None:
    bench = Bench()
    bench.add(1)
    bench.epoch = 2
    bench.grant()
    assert len(bench.lanes) == 0


def test_a_grant_of_a_fence_that_is_no_longer_the_lanes_runs_nothing() -> None:
    bench = Bench()
    bench.add(1)
    bench.fence = 5
    bench.grant(head=False, fence=4)
    ended(bench)
    assert bench.ran == []


def test_a_higher_fence_replaces_a_lane_that_still_waits_for_its_last_settle() -> None:
    """Law: the lane was freed and taken again while the answer to its settle was under way; the new one runs, the old
    one still tells its callers, and neither takes the other out of the books."""
    bench = Bench()
    bench.add(1)
    bench.answers.clear()
    bench.grant()
    until("the settle to be done", lambda: not bench.waiting[1])
    bench.fence = 2
    bench.add(2, 3)
    gate = bench.hold(2)
    bench.grant()
    until("the new lane", lambda: len(bench.ran) == 2)
    assert bench.lanes.running(*ACCOUNT) == 2
    bench.answers.set()
    until("the old lane to be told", lambda: bench.told)
    until("the old lane to end", lambda: bench.lanes.running(*ACCOUNT) == 1)
    assert bench.lanes.runs(bench.key())
    gate.set()
    ended(bench)
    assert bench.ran == ["message 1", "message 2", "message 3"]


# The lease


def test_no_turn_is_started_without_the_lease() -> None:
    bench = Bench()
    bench.add(1)
    bench.held.clear()
    bench.grant()
    gevent.idle()
    assert bench.ran == []
    bench.held.set()
    ended(bench)
    assert bench.ran == ["message 1"]


def test_each_turn_asks_for_the_lease() -> None:
    bench = Bench()
    bench.add(1, 2)
    gate = bench.hold(1)
    bench.grant()
    until("the first turn", lambda: bench.ran)
    bench.held.clear()
    gate.set()
    until("the settle", lambda: bench.told)
    gevent.idle()
    assert bench.ran == ["message 1"]
    bench.held.set()
    ended(bench)


def test_a_lane_whose_lease_was_not_renewed_runs_nothing_and_may_be_granted_again() -> None:
    """Law: the ledger may still say that it is ours (nobody declared us dead); then takeover finds it, and the same
    fence starts again.  A fence that is over only because we gave up would strand the lane."""
    bench = Bench(dead_after_s=0.05, beat_s=0.01, lease_margin_s=0.01)
    bench.add(1)
    bench.held.clear()
    bench.grant()
    ended(bench)
    assert bench.ran == []
    assert not bench.lanes.runs(bench.key())
    bench.held.set()
    bench.grant()
    ended(bench)
    assert bench.ran == ["message 1"]


def test_a_lane_of_an_earlier_life_starts_no_turn_in_the_next() -> None:
    """Law: the new epoch's lease does not cover what the old one owned."""
    bench = Bench()
    bench.add(1)
    bench.held.clear()
    bench.grant()
    gevent.idle()
    bench.epoch = 2
    bench.held.set()
    ended(bench)
    assert bench.ran == []


# Losing and dropping


def test_a_lane_that_was_lost_drops_its_answer_and_goes_no_further() -> None:
    bench = Bench()
    bench.add(1, 2)
    gate = bench.hold(1)
    bench.grant()
    until("the turn", lambda: bench.ran)
    bench.fence = 2
    gate.set()
    ended(bench)
    assert bench.ran == ["message 1"]
    assert [settled.lost for _, settled in bench.told] == [True]


@pytest.mark.parametrize("begun", [True, False], ids=["in the middle of a turn", "before it began"])
def test_dropping_stops_all_lanes_at_once_and_leaves_nothing_behind(begun: bool) -> None:
    """Law: also a lane whose greenlet has not run yet; it would be counted as running for ever."""
    bench = Bench()
    bench.hold(1)
    for lane in (1, 2):
        bench.add(1, 2, conversation_id=lane)
        bench.grant(lane)
    if begun:
        until("both", lambda: bench.running == 2)
    bench.lanes.drop()
    ended(bench)
    until("the turns to be cut off", lambda: bench.running == 0)
    assert bench.settlings == []
    assert bench.lanes.running(*ACCOUNT) == bench.lanes.running_of("acme") == 0
    assert bench.lanes.drain(time.monotonic() + 1)


# The store in trouble


@pytest.mark.parametrize(
    "trouble",
    [unavailable(), Overloaded("full", reason="ledger_busy", retry_after_s=1)],
    ids=["gone", "full"],
)
def test_a_settle_is_repeated_until_the_store_takes_it(trouble: SwitchboardError) -> None:
    """Law: an answer is not thrown away because a store blinked or had too much to do."""
    bench = Bench()
    bench.add(1)
    bench.trouble = [trouble, trouble, trouble]
    bench.grant()
    ended(bench)
    assert len(bench.settlings) == 4
    assert [(settlement.state, settled.lost) for settlement, settled in bench.told] == [("answered", False)]


def test_a_head_is_asked_for_until_the_store_tells_it() -> None:
    bench = Bench()
    bench.add(1)
    bench.trouble = [unavailable(), unavailable()]
    bench.grant(head=False)
    ended(bench)
    assert bench.ran == ["message 1"]


def test_an_answer_that_cannot_be_written_ends_the_turn_with_an_apology() -> None:
    bench = Bench()
    bench.add(1, 2)
    bench.trouble = [StoreRefused("no", reason="store_refused")]
    bench.grant()
    ended(bench)
    first, second = (settlement for settlement, _ in bench.told)
    assert (first.state, first.reason, first.detail) == ("failed", "store_refused", "an apology")
    assert second.state == "answered"


def test_a_turn_whose_apology_cannot_be_written_either_ends_without_a_word() -> None:
    """Law: every turn ends, or its lane would stand for ever."""
    bench = Bench()
    bench.add(1)
    bench.trouble = [StoreRefused("no", reason="store_refused")] * 2
    bench.grant()
    ended(bench)
    ((settlement, _),) = bench.told
    assert (settlement.state, settlement.reason, settlement.outbox) == ("failed", "store_refused", ())
    assert settlement.detail == "no"


# Our own mistakes


@pytest.mark.parametrize(
    "crash", [ZeroDivisionError(), gevent.Timeout(), SystemExit()], ids=lambda each: type(each).__name__
)
def test_a_crash_while_a_turn_runs_is_that_turns_alone(crash: BaseException) -> None:
    bench = Bench()
    bench.add(1, 2)
    bench.crash_on, bench.crash = {1}, crash
    bench.grant()
    ended(bench)
    assert [(settlement.state, settlement.reason) for settlement, _ in bench.told] == [
        ("failed", "crashed"), ("answered", ""),
    ]  # fmt: skip


def test_a_crash_while_telling_does_not_stop_the_lane() -> None:
    bench = Bench()
    bench.add(1, 2)
    bench.deaf = True
    bench.grant()
    ended(bench)
    assert bench.ran == ["message 1", "message 2"]


# Draining and handing over


def test_a_draining_process_finishes_running_turns_and_frees_the_rest() -> None:
    bench = Bench()
    bench.add(1, 2)
    gate = bench.hold(1)
    bench.grant()
    until("the turn", lambda: bench.ran)
    draining = gevent.spawn(bench.lanes.drain, time.monotonic() + 60)
    gevent.idle()
    assert not draining.ready()
    gate.set()
    assert draining.get() is True
    assert bench.ran == ["message 1"]
    assert bench.freed == [1]


def test_a_drain_ends_at_its_deadline() -> None:
    bench = Bench()
    bench.add(1)
    bench.hold(1)
    bench.grant()
    until("the turn", lambda: bench.ran)
    assert bench.lanes.drain(time.monotonic() + 0.05) is False
    assert bench.lanes.drain(time.monotonic() + 60) is False, "the first deadline holds"


def test_a_drain_with_nothing_to_do_is_over_at_once() -> None:
    assert Bench().lanes.drain(time.monotonic() + 60) is True


def test_a_lane_granted_while_draining_runs_one_turn() -> None:
    """Law: its delivery is being answered here; without an owner that runs it, its caller would wait in vain."""
    bench = Bench()
    assert bench.lanes.drain(time.monotonic() + 60)
    bench.add(1, 2)
    bench.grant()
    ended(bench)
    assert bench.ran == ["message 1"]
    assert bench.freed == [1]


def test_nothing_is_begun_after_the_drains_deadline() -> None:
    """Law: what is begun then would be cut off, and run a second time elsewhere."""
    bench = Bench()
    bench.lanes.drain(time.monotonic())
    bench.add(1)
    bench.grant()
    assert len(bench.lanes) == 0


@pytest.mark.parametrize(("gateways", "handed"), [(2, True), (1, False)])
def test_a_lane_is_offered_to_others_after_a_number_of_turns(gateways: int, handed: bool) -> None:
    """Law: without it one process ends with most of the work; alone there is nobody to offer it to."""
    bench = Bench(lane_turns_max=3)
    bench.gateways = gateways
    bench.add(1, 2, 3, 4, 5)
    bench.grant()
    ended(bench)
    assert [settling.hand_over for settling in bench.settlings[:3]] == [False, False, handed]
    assert len(bench.ran) == (3 if handed else 5)


def test_a_draining_process_offers_nothing() -> None:
    bench = Bench(lane_turns_max=1)
    bench.gateways = 2
    bench.lanes.drain(time.monotonic() + 60)
    bench.add(1, 2)
    bench.grant()
    ended(bench)
    assert [(settling.keep, settling.hand_over) for settling in bench.settlings] == [(False, False)]
