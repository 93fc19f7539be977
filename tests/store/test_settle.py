"""Settle: under its fence, once, and the lane's next step read from the locked row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import msgspec
import pytest

from gateway.domain.reply import Reply, Text
from gateway.domain.turn import LaneKey, OutboxDraft, Settlement
from gateway.store.ledger.settle import Settling
from tests.support.actor import Actor, arrival
from tests.support.waiting import until


def everything(actor: Actor) -> dict[str, list[tuple[Any, ...]]]:
    """All that a settle could change."""
    tables = ("conversations", "turns", "users", "outbox", "dead_letters")
    return {table: actor.rows(f"SELECT * FROM {table} ORDER BY id") for table in tables}


def test_the_answer_is_written_and_the_lane_with_more_work_is_kept(here: Actor) -> None:
    first = here.say("one", user="ann")
    here.say("two", user="ben")
    settled = here.answer(first.conversation_id, pushes=["to one"])
    assert not settled.lost
    assert settled.next_turn is not None
    assert (settled.next_turn.seq, settled.next_turn.message.text, settled.next_turn.sender.key) == (
        2,
        "two",
        "ben",
    )
    # Told by the settle, the next turn must be what the ledger tells.
    lane, turn = here.head(first.conversation_id) or pytest.fail("no head")
    assert lane == first.lane
    assert msgspec.structs.replace(turn, age_s=0) == msgspec.structs.replace(settled.next_turn, age_s=0)
    (result,) = here.results(first.turn_id)
    assert (result.state, result.reply) == ("answered", Reply((Text("to one"),)))


def test_a_lane_without_more_work_is_free(here: Actor) -> None:
    first = here.say()
    settled = here.answer(first.conversation_id)
    assert (settled.lost, settled.next_turn, settled.heir) == (False, None, None)
    lane = here.lane(first.conversation_id)
    assert (lane.owner, lane.epoch, lane.done_seq, lane.orphaned) == (None, None, 1, False)


def test_a_draining_process_frees_a_lane_with_more_work(here: Actor, there: Actor) -> None:
    first = here.say()
    here.say()
    settled = here.answer(first.conversation_id, keep=False)
    assert settled.next_turn is None
    assert here.lane(first.conversation_id).orphaned
    assert there.adopt() == [first.conversation_id]


@pytest.mark.parametrize("how", ["older fence", "unheard-of fence"])
def test_a_settle_under_another_fence_changes_nothing_and_is_told_so(
    here: Actor, there: Actor, how: str
) -> None:
    first = here.say()
    lane, turn = here.head(first.conversation_id) or pytest.fail("no head")
    if how == "older fence":
        here.die(buried_by=there)
        there.adopt()
    else:
        lane = msgspec.structs.replace(lane, fence=lane.fence + 1)
    before = everything(there)
    settled = here.settle(
        lane, turn, state="failed", reason="x", pushes=["never"], reply=Reply(state={}, memory={})
    )
    assert settled.lost
    assert settled.next_turn is None
    assert everything(there) == before


def test_a_settle_of_the_dead_leaves_the_new_owners_answer_alone(here: Actor, there: Actor) -> None:
    first = here.say()
    lane, turn = here.head(first.conversation_id) or pytest.fail("no head")
    here.die(buried_by=there)
    there.adopt()
    there.answer(first.conversation_id, reply=Reply((Text("from there"),)))
    before = everything(there)
    assert here.settle(lane, turn, reply=Reply((Text("from here"),))).lost
    assert everything(there) == before


def test_a_settle_run_again_after_a_lost_commit_is_done_once(here: Actor) -> None:
    """Law: it recognises its own fence on the turn, writes nothing twice, and tells what the first run would have."""
    first = here.say("one")
    here.say("two")
    lane, turn = here.head(first.conversation_id) or pytest.fail("no head")
    drafts = [OutboxDraft(kind="response", payload={"text": "a"}, claimed=True)]
    once = here.settle(lane, turn, drafts=drafts, pushes=["b", "c"])
    before = everything(here)
    again = here.settle(lane, turn, drafts=drafts, pushes=["b", "c"])
    assert everything(here) == before
    assert again.outbox_ids == once.outbox_ids
    assert len(once.outbox_ids) == 3
    assert once.next_turn is not None
    assert again.next_turn is not None
    assert again.next_turn.turn_id == once.next_turn.turn_id


def test_a_settle_run_again_after_the_lane_went_on_elsewhere_is_still_done(here: Actor, there: Actor) -> None:
    """Law: it was committed, so it is no loss; but the lane is not this process's any more."""
    first = here.say("one")
    here.say("two")
    lane, turn = here.head(first.conversation_id) or pytest.fail("no head")
    here.settle(lane, turn, keep=False)
    there.adopt()
    again = here.settle(lane, turn, keep=True)
    assert (again.lost, again.next_turn) == (False, None)
    assert there.lane(first.conversation_id).owner == there.id


def test_a_settle_run_again_does_not_take_back_the_lane_that_it_freed(here: Actor) -> None:
    """Law: freed, a lane keeps its fence until somebody takes it; run again, the settle must not go on with it."""
    first = here.say("one")
    here.say("two")
    lane, turn = here.head(first.conversation_id) or pytest.fail("no head")
    here.settle(lane, turn, keep=False)
    again = here.settle(lane, turn, keep=True)
    assert (again.lost, again.next_turn) == (False, None)
    assert here.lane(first.conversation_id).orphaned


def test_a_failed_turn_leaves_a_dead_letter(here: Actor) -> None:
    first = here.say()
    here.answer(first.conversation_id, state="failed", reason="timeout", detail="after 5 s")
    letter = here.one(
        "SELECT kind, channel, account, conversation_id, turn_id, reason, detail FROM dead_letters"
    )
    assert letter == ("turn", "slack", "bot", first.conversation_id, first.turn_id, "timeout", "after 5 s")
    assert here.one("SELECT state, reason FROM turns") == ("failed", "timeout")


@pytest.mark.parametrize(
    ("said", "kept"),
    [({"n": 2}, {"n": 2}), (msgspec.UNSET, {"n": 1}), (None, None), ({}, {})],
    ids=["an object replaces", "absent leaves", "null clears", "an empty object is kept"],
)
def test_state_and_memory_are_kept_as_the_assistant_says(here: Actor, said: Any, kept: Any) -> None:
    first = here.say()
    here.answer(first.conversation_id, reply=Reply(state={"n": 1}, memory={"n": 1}))
    here.say()
    here.answer(first.conversation_id, reply=Reply((Text("x"),), state=said, memory=said))
    head = here.say().head
    assert head is not None
    assert (head.state, head.memory) == (kept, kept)
    assert here.rows("SELECT 1 FROM turns WHERE reply ? 'state' OR reply ? 'memory'") == [], (
        "they have columns"
    )


def test_a_batch_settles_many_lanes_each_for_itself(here: Actor, there: Actor) -> None:
    """Law: one that was lost is no matter to its neighbours, and results come in the order of the batch."""
    accepted = [here.say(f"{n}", lane=f"lane {n}") for n in range(6)]
    here.say("more", lane="lane 3")
    batch = []
    for one in accepted:
        lane, turn = here.head(one.conversation_id) or pytest.fail("no head")
        if one is accepted[1]:
            lane = msgspec.structs.replace(lane, fence=99)
        failed = one is accepted[4]
        settlement = Settlement(
            turn=turn,
            state="failed" if failed else "answered",
            reply=Reply((Text(turn.message.text),)),
            reason="x" if failed else "",
            outbox=tuple(OutboxDraft(kind="push", payload={"n": n}) for n in range(turn.turn_id % 3)),
        )
        batch.append(Settling(lane, settlement, keep=True))
    batch.reverse()
    settled = here.settle_all(batch)
    settled.reverse()
    assert [s.lost for s in settled] == [False, True, False, False, False, False]
    assert [s.next_turn is not None for s in settled] == [False, False, False, True, False, False]
    for one, outcome in zip(accepted, settled, strict=True):
        rows = here.rows("SELECT id FROM outbox WHERE turn_id = %s ORDER BY id", one.turn_id)
        assert outcome.outbox_ids == tuple(row[0] for row in rows)
        assert len(rows) == (0 if outcome.lost else one.turn_id % 3)
    assert here.rows("SELECT turn_id FROM dead_letters") == [(accepted[4].turn_id,)]


def test_a_turn_whose_rows_are_gone_is_lost_and_shifts_nobody(here: Actor) -> None:
    """Law: what is deleted by hand or by law must not lend its neighbours its fate."""
    batch = []
    for n in range(3):
        found = here.head(here.say(lane=f"lane {n}").conversation_id) or pytest.fail("no head")
        batch.append(
            Settling(found[0], Settlement(turn=found[1], state="answered", reply=Reply()), keep=True)
        )
    batch[2] = msgspec.structs.replace(batch[2], lane=msgspec.structs.replace(batch[2].lane, fence=99))
    here.rows("DELETE FROM conversations WHERE id = %s RETURNING 1", batch[0].lane.conversation_id)
    here.rows("DELETE FROM turns WHERE id = %s RETURNING 1", batch[0].settlement.turn.turn_id)
    assert [settled.lost for settled in here.settle_all(batch)] == [True, False, True]
    assert here.rows("SELECT state FROM turns ORDER BY id") == [("answered",), ("accepted",)]


def test_two_settles_that_remember_the_same_users_crosswise_do_not_deadlock(
    here: Actor, there: Actor, database: str
) -> None:
    """Law: a user may speak in many conversations, which different processes settle at the same moment."""
    users = ["ann", "ben", "cat"]

    def batch(actor: Actor, order: list[str]) -> list[Settling]:
        settlings = []
        for user in order:
            found = actor.head(actor.say(lane=f"{actor.id} {user}", user=user).conversation_id)
            assert found is not None
            settlement = Settlement(turn=found[1], state="answered", reply=Reply(memory={"by": actor.id}))
            settlings.append(Settling(found[0], settlement, keep=True))
        return settlings

    forth, back = batch(here, users), batch(there, users[::-1])
    holder = Actor(database)
    with holder.transaction():
        holder.rows("SELECT 1 FROM users WHERE key = 'ben' FOR UPDATE")
        one = gevent.spawn(here.settle_all, forth)
        holder.holds_up(here, one)
        two = gevent.spawn(there.settle_all, back)
        until("both to wait", lambda: here.blocked() and there.blocked())
    gevent.joinall([one, two], raise_error=True)


# Handing over


def test_a_lane_is_handed_to_the_process_that_has_the_next_turns_caller(here: Actor, there: Actor) -> None:
    first = here.say("one")
    there.say("two")
    settled = here.answer(first.conversation_id, hand_over=True)
    assert (settled.next_turn, settled.heir) == (None, there.id)
    lane = here.lane(first.conversation_id)
    assert (lane.owner, lane.epoch, lane.fence, lane.orphaned) == (there.id, there.process.epoch, 2, False)
    assert there.owned() == {first.conversation_id: 2}
    key, turn = there.head(first.conversation_id) or pytest.fail("no head")
    assert (key, turn.message.text) == (LaneKey(first.conversation_id, 2, there.process.epoch), "two")


@pytest.mark.parametrize("heir", ["here", "dead", "a worker", "left"])
def test_a_lane_stays_where_it_is_if_nobody_else_has_the_next_turn(
    here: Actor, actors: Callable[..., Actor], heir: str
) -> None:
    other = here if heir == "here" else actors("worker" if heir == "a worker" else "gateway")
    first = here.say("one")
    other.say("two")
    if heir == "dead":
        other.die(buried_by=here)
    elif heir == "left":
        other.leave()
    settled = here.answer(first.conversation_id, hand_over=True)
    assert settled.heir is None
    assert settled.next_turn is not None
    assert here.lane(first.conversation_id).owner == here.id


def test_a_heir_that_is_being_declared_dead_inherits_nothing(
    here: Actor, there: Actor, database: str
) -> None:
    """Law: the settle does not wait for a burial under way, and does not fall into it."""
    undertaker = Actor(database)
    first = here.say("one")
    there.say("two")
    there.fall_silent()
    with undertaker.transaction():
        undertaker.bury()
        settled = here.answer(first.conversation_id, hand_over=True)
        assert settled.heir is None
    assert here.lane(first.conversation_id).owner == here.id


def test_a_heir_cannot_be_declared_dead_before_the_lane_is_his(
    here: Actor, there: Actor, database: str
) -> None:
    undertaker = Actor(database)
    first = here.say("one")
    there.say("two")
    there.fall_silent()
    with here.transaction():
        assert here.answer(first.conversation_id, hand_over=True).heir == there.id
        assert undertaker.bury().processes == 0
    assert undertaker.bury().lanes == 1
    assert undertaker.adopt() == [first.conversation_id]


# Accepts at the same moment


def test_a_message_accepted_while_its_lane_is_settled_is_never_stranded(here: Actor, there: Actor) -> None:
    """Law: whether there is more work is read from the locked row.  The settle began before the message was there,
    and waits; a look at the turns by its snapshot would free the lane and leave the message to nobody."""
    first = here.say("one")
    with there.transaction():
        second = there.say("two")
        assert second.lane is None, "its owner lives"
        settling = gevent.spawn(here.answer, first.conversation_id)
        there.holds_up(here, settling)
    settled = settling.get()
    assert settled.next_turn is not None
    assert settled.next_turn.message.text == "two"


def test_a_message_accepted_while_its_lane_is_freed_takes_the_lane(here: Actor, there: Actor) -> None:
    """Law: the other way round.  The accept began while the lane was owned, and waits; it finds it free."""
    first = here.say("one")
    with here.transaction():
        here.answer(first.conversation_id)
        accepting = gevent.spawn(there.say, "two")
        here.holds_up(there, accepting)
    accepted = accepting.get()
    assert accepted.lane == LaneKey(first.conversation_id, 2, there.process.epoch)
    assert accepted.head is not None
    assert accepted.head.message.text == "two"


def test_a_duplicate_accepted_while_its_lane_is_freed_holds_no_idle_lane(here: Actor, there: Actor) -> None:
    first = here.say("one", keys=["a"])
    with here.transaction():
        here.answer(first.conversation_id)
        accepting = gevent.spawn(there.accept, arrival(keys=["a"]))
        here.holds_up(there, accepting)
    assert accepting.get()[0].lane is None
    assert here.lane(first.conversation_id).owner is None
