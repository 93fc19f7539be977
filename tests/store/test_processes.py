"""Processes: alive while they beat, declared dead by others, adopting what nobody runs."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest

from gateway.domain.turn import LaneKey
from gateway.store.ledger.outbox import Finish
from gateway.store.ledger.process import Buried, Process
from tests.support.actor import Actor


def test_a_beat_tells_how_many_gateways_live(here: Actor, there: Actor, actors: Callable[..., Actor]) -> None:
    """Law: hints are for other gateways; workers own no lanes and need none."""
    actors("worker")
    silent = actors()
    silent.fall_silent()
    gone = actors()
    gone.leave()
    assert here.beat() == 2


def test_a_beat_of_one_declared_dead_is_refused(here: Actor, there: Actor) -> None:
    assert here.die(buried_by=there) == Buried(1, 0, 0)
    assert here.beat() is None


def test_one_declared_dead_returns_under_a_new_epoch_and_owns_nothing(here: Actor, there: Actor) -> None:
    first = here.say()
    old = here.process
    here.die(buried_by=there)
    new = here.revive()
    assert (new.process_id, new.epoch > old.epoch) == (old.process_id, True)
    assert here.beat() is not None
    assert here.owned() == {}
    assert here.head(first.conversation_id) is None
    here.process = old
    assert here.beat() is None, "the old epoch is over for good"


def test_only_the_overdue_are_buried(here: Actor, there: Actor) -> None:
    here.fall_silent(4.0)
    assert there.bury(dead_after_s=5.0) == Buried(0, 0, 0)
    here.fall_silent(6.0)
    assert there.bury(dead_after_s=5.0).processes == 1
    assert there.bury(dead_after_s=5.0) == Buried(0, 0, 0), "once is enough"


def test_a_dead_process_leaves_its_lanes_to_others_under_a_higher_fence(here: Actor, there: Actor) -> None:
    lanes = [here.say(lane=f"lane {n}").conversation_id for n in range(3)]
    idle = here.say(lane="idle").conversation_id
    here.answer(idle)
    others = there.say(lane="others").conversation_id
    assert here.die(buried_by=there) == Buried(1, 3, 0)
    for lane in lanes:
        row = there.lane(lane)
        assert (row.owner, row.epoch, row.fence, row.orphaned) == (None, None, 2, True)
    assert not there.lane(idle).orphaned
    assert there.lane(others).owner == there.id
    assert sorted(there.adopt()) == sorted(lanes)


def test_each_death_is_counted_on_the_running_turn_alone(here: Actor, there: Actor) -> None:
    """Law: the head was being run; those behind it are innocent."""
    first = here.say("first")
    here.say("second")
    here.die(buried_by=there)
    there.adopt()
    found = there.head(first.conversation_id)
    assert found is not None
    assert found[1].deaths == 1
    here.revive()
    there.die(buried_by=here)
    here.adopt()
    assert here.rows("SELECT seq, deaths FROM turns ORDER BY seq") == [(1, 2), (2, 0)]
    settled = here.answer(first.conversation_id)
    assert settled.next_turn is not None
    assert settled.next_turn.deaths == 0


def test_leaving_in_good_order_counts_no_death(here: Actor, there: Actor) -> None:
    first = here.say()
    here.leave()
    here.leave()
    assert there.adopt() == [first.conversation_id]
    assert there.one("SELECT deaths FROM turns") == 0
    assert here.beat() is None


def test_one_declared_dead_cannot_leave_in_the_name_of_its_next_life(here: Actor, there: Actor) -> None:
    old = here.process
    here.die(buried_by=there)
    new = here.revive()
    first = here.say()
    here.process = old
    here.leave()
    here.process = new
    assert here.owned() == {first.conversation_id: 1}
    assert here.beat() is not None


def test_sends_of_the_dead_are_unknown_and_dead_letters(here: Actor, there: Actor) -> None:
    """Law: what was on the wire may have arrived.  Nobody sends it again in silence."""
    sent = here.answer(here.say().conversation_id, pushes=["on the wire"])
    here.answer(here.say(lane="other").conversation_id, pushes=["waiting"])
    (row,) = [taking.row for taking in here.take(*sent.outbox_ids)]
    assert row is not None
    assert here.die(buried_by=there) == Buried(1, 0, 1)
    assert there.one("SELECT state, reason FROM outbox WHERE id = %s", row.outbox_id) == (
        "unknown",
        "sender_died",
    )
    assert there.one("SELECT kind, outbox_id, reason FROM dead_letters") == (
        "outbox", row.outbox_id, "unknown: sender_died",
    )  # fmt: skip
    assert here.finish(Finish(row.outbox_id, "sent")) == [False], "the dead write nothing"
    assert [other.payload for other in there.claim()] == [{"text": "waiting"}]


def test_a_burial_meets_a_settle_and_one_of_them_comes_first(here: Actor, there: Actor) -> None:
    """Law: the settle that held the lane's lock is written; the next turn is for whoever adopts it."""
    first = here.say("one")
    here.say("two")
    here.fall_silent()
    with here.transaction():
        settled = here.answer(first.conversation_id)
        burying = gevent.spawn(there.bury)
        here.holds_up(there, burying)
    assert not settled.lost
    assert burying.get() == Buried(1, 1, 0)
    assert there.adopt() == [first.conversation_id]
    assert there.rows("SELECT seq, state FROM turns ORDER BY seq") == [(1, "answered"), (2, "accepted")]


def test_a_burial_leaves_a_lane_alone_that_was_freed_while_it_waited(here: Actor, there: Actor) -> None:
    first = here.say("one")
    here.fall_silent()
    with here.transaction():
        here.answer(first.conversation_id)
        burying = gevent.spawn(there.bury)
        here.holds_up(there, burying)
    assert burying.get() == Buried(1, 0, 0)
    lane = there.lane(first.conversation_id)
    assert (lane.fence, lane.orphaned) == (1, False)


def test_a_settle_that_waited_for_the_burial_is_lost(here: Actor, there: Actor) -> None:
    first = here.say("one")
    found = here.head(first.conversation_id)
    assert found is not None
    here.fall_silent()
    with there.transaction():
        there.bury()
        settling = gevent.spawn(here.settle, *found)
        there.holds_up(here, settling)
    assert settling.get().lost
    assert there.one("SELECT state, deaths FROM turns") == ("accepted", 1)


def test_two_undertakers_at_once_bury_once(here: Actor, there: Actor, actors: Callable[..., Actor]) -> None:
    dead = actors()
    first = dead.say()
    dead.fall_silent()
    with here.transaction():
        assert here.bury().processes == 1
        assert there.bury().processes == 0
    assert here.one("SELECT deaths FROM turns WHERE id = %s", first.turn_id) == 1


# Adopting


def test_adopting_takes_no_more_than_asked_for(here: Actor, there: Actor) -> None:
    lanes = [here.say(lane=f"lane {n}").conversation_id for n in range(10)]
    here.die(buried_by=there)
    some = there.adopt(4)
    assert len(some) == 4
    rest = there.adopt(100)
    assert sorted(some + rest) == lanes
    assert there.adopt(100) == []
    assert all(there.lane(lane).fence == 3 for lane in lanes)


def test_two_that_adopt_at_once_get_different_lanes(
    here: Actor, there: Actor, actors: Callable[..., Actor]
) -> None:
    dead = actors()
    lanes = {dead.say(lane=f"lane {n}").conversation_id for n in range(10)}
    dead.die(buried_by=here)
    with here.transaction():
        mine = here.adopt(4)
        theirs = there.adopt(100)
    assert set(mine) | set(theirs) == lanes
    assert not set(mine) & set(theirs)
    assert sorted(here.owned()) == sorted(mine)
    assert sorted(there.owned()) == sorted(theirs)


def test_one_declared_dead_adopts_nothing(here: Actor, there: Actor, actors: Callable[..., Actor]) -> None:
    lost = actors()
    first = lost.say()
    lost.die(buried_by=here)
    there.die(buried_by=here)
    assert there.adopt() == []
    assert here.adopt() == [first.conversation_id]


def test_a_lane_that_was_adopted_by_an_accept_is_not_adopted_again(here: Actor, there: Actor) -> None:
    first = here.say()
    here.die(buried_by=there)
    with there.transaction():
        assert there.say().lane is not None
        here.revive()
        assert here.adopt() == []
    assert here.adopt() == []
    assert there.owned() == {first.conversation_id: 3}


def test_what_is_owned_is_told_with_its_fence_and_only_while_it_has_work(here: Actor) -> None:
    """Law: this finds grants whose answer was lost."""
    first = here.say()
    here.say(lane="other")
    assert here.owned() == {first.conversation_id: 1, first.conversation_id + 1: 1}
    here.answer(first.conversation_id)
    assert here.owned() == {first.conversation_id + 1: 1}


def test_heads_are_told_to_the_owner_alone(here: Actor, there: Actor) -> None:
    first = here.say()
    assert there.head(first.conversation_id) is None
    assert here.head(first.conversation_id + 1) is None
    found = here.head(first.conversation_id)
    assert found is not None
    assert found[0] == LaneKey(first.conversation_id, 1, here.process.epoch)
    here.process = Process(here.id, here.process.epoch + 1)
    assert here.head(first.conversation_id) is None


def test_a_heads_age_is_counted_by_the_database(here: Actor) -> None:
    first = here.say()
    here.rows("UPDATE turns SET accepted_at = accepted_at - interval '10 s' RETURNING 1")
    found = here.head(first.conversation_id)
    assert found is not None
    assert found[1].age_s == pytest.approx(10, abs=5)
