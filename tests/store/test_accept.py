"""Accept: duplicates out, gapless numbers, refusals that leave nothing behind, lanes taken."""

from __future__ import annotations

import psycopg2
import pytest

from gateway.domain.turn import LaneKey
from tests.support.actor import Actor, arrival


def test_a_new_message_becomes_the_head_of_a_lane_of_its_own(here: Actor) -> None:
    (accepted,) = here.accept(arrival("hello", lane="c1", user="ann"))
    assert accepted.outcome == "new"
    assert accepted.seq == 1
    assert accepted.lane == LaneKey(accepted.conversation_id, 1, here.process.epoch)
    assert accepted.head is not None
    # Told from memory, it must be what the ledger tells.
    assert here.head(accepted.conversation_id) is not None
    lane, turn = here.head(accepted.conversation_id) or pytest.fail("no head")
    assert lane == accepted.lane
    assert (
        turn.turn_id,
        turn.message,
        turn.sender,
        turn.address,
        turn.trace_id,
        turn.accepted_by,
        turn.user_id,
    ) == (
        accepted.head.turn_id,
        accepted.head.message,
        accepted.head.sender,
        accepted.head.address,
        accepted.head.trace_id,
        here.id,
        accepted.head.user_id,
    )


def test_numbers_are_gapless_under_duplicates_and_refusals(here: Actor) -> None:
    """Law: a number is given under the lane's lock, after duplicates are gone; a gap would stop the lane for ever."""
    batch = [
        arrival(keys=["a"]),
        arrival(keys=["a"]),
        arrival(keys=["b"]),
        arrival(keys=["c"]),
        arrival(keys=["d"]),
    ]
    first = here.accept(*batch, waiting_max=3)
    assert [(a.outcome, a.seq) for a in first] == [
        ("new", 1), ("duplicate", 1), ("new", 2), ("new", 3), ("refused", 0),
    ]  # fmt: skip
    here.answer(first[0].conversation_id)
    second = here.accept(*batch, arrival(keys=["e"]), waiting_max=3)
    assert [(a.outcome, a.seq) for a in second] == [
        ("duplicate", 1), ("duplicate", 1), ("duplicate", 2), ("duplicate", 3), ("new", 4), ("refused", 0),
    ]  # fmt: skip
    assert here.rows("SELECT seq FROM turns ORDER BY seq") == [(1,), (2,), (3,), (4,)]


@pytest.mark.parametrize("repeat", [["event"], ["message"], ["message", "event"], ["other", "message"]])
def test_any_key_that_was_seen_makes_a_duplicate(here: Actor, repeat: list[str]) -> None:
    first = here.say(keys=["event", "message"])
    again = here.say(keys=repeat)
    assert (again.outcome, again.turn_id, again.seq) == ("duplicate", first.turn_id, 1)


def test_equal_keys_of_two_accounts_are_two_messages(here: Actor) -> None:
    """Law: a platform's ids are its own only within one bot."""
    first, second = here.accept(arrival(keys=["k"], account="one"), arrival(keys=["k"], account="two"))
    assert (first.outcome, second.outcome) == ("new", "new")


def test_twins_in_one_batch_are_one_message(here: Actor) -> None:
    """Law: the first is written, with the keys of all; each later one has its result as a duplicate."""
    one, twin, other, triplet = here.accept(
        arrival("one", keys=["a", "b"]), arrival(keys=["b", "c"]), arrival("other"), arrival(keys=["c"])
    )
    assert [a.outcome for a in (one, twin, other, triplet)] == ["new", "duplicate", "new", "duplicate"]
    assert one.turn_id == twin.turn_id == triplet.turn_id
    assert twin.head is None
    assert other.seq == 2


def test_a_twin_in_a_batch_of_repeats_leads_to_the_old_turn(here: Actor) -> None:
    first = here.say(keys=["a"])
    again, twin = here.accept(arrival(keys=["x", "a"]), arrival(keys=["x"]))
    assert (again.outcome, twin.outcome) == ("duplicate", "duplicate")
    assert first.turn_id == again.turn_id == twin.turn_id


def test_a_twins_other_key_leads_to_the_same_turn_from_then_on(here: Actor) -> None:
    """Law: Slack's two events of one message share a key; a redelivery of the second carries only its own."""
    first = here.say(keys=["channel:ts", "event 1"])
    here.say(keys=["channel:ts", "event 2"])
    late = here.say(keys=["event 2"])
    assert (late.outcome, late.turn_id) == ("duplicate", first.turn_id)


def test_a_refused_message_leaves_no_key_behind(here: Actor) -> None:
    """Law: what was refused has not been seen; the platform's next delivery of it must be able to succeed."""
    first = here.say(keys=["a"])
    refused = here.accept(arrival(keys=["b", "c"]), waiting_max=1)[0]
    assert refused.outcome == "refused"
    assert here.rows("SELECT key FROM dedupe_keys") == [("slack/bot/a",)]
    here.answer(first.conversation_id)
    assert here.accept(arrival(keys=["b", "c"]), waiting_max=1)[0].outcome == "new"


def test_a_twin_of_a_refused_message_is_refused_too(here: Actor) -> None:
    here.say()
    twins = here.accept(arrival(keys=["a"]), arrival(keys=["a"]), waiting_max=1)
    assert [a.outcome for a in twins] == ["refused", "refused"]


def test_a_full_lane_refuses_its_own_messages_only(here: Actor) -> None:
    here.say(lane="full")
    full, free = here.accept(arrival(lane="full"), arrival(lane="free"), waiting_max=1)
    assert (full.outcome, free.outcome) == ("refused", "new")
    assert here.lane(full.conversation_id).last_seq == 1


def test_one_batch_may_hold_many_lanes_users_and_messages(here: Actor) -> None:
    batch = [arrival(f"{n}", lane=f"lane {n % 7}", user=f"user {n % 5}") for n in range(64)]
    accepted = here.accept(*batch)
    assert [a.outcome for a in accepted] == ["new"] * 64
    stored = here.rows(
        "SELECT c.key, u.key, t.message ->> 'text', t.seq FROM turns t JOIN conversations c ON c.id = t.conversation_id"
        " JOIN users u ON u.id = t.user_id ORDER BY t.id"
    )
    assert stored == [(f"lane {n % 7}", f"user {n % 5}", f"{n}", n // 7 + 1) for n in range(64)]
    assert [a.head is not None for a in accepted] == [n < 7 for n in range(64)]


def test_a_user_has_one_row_for_all_conversations(here: Actor) -> None:
    here.accept(arrival(lane="a", user="ann"), arrival(lane="b", user="ann"), arrival(lane="c", user="ben"))
    here.say(lane="d", user="ann")
    assert here.rows("SELECT key, name FROM users ORDER BY key") == [("ann", "Ann"), ("ben", "Ben")]


def test_state_and_memory_stand_beside_the_head(here: Actor) -> None:
    accepted = here.say(lane="a", user="ann")
    here.rows("UPDATE conversations SET state = '{\"mood\": 1}' RETURNING 1")
    here.rows("UPDATE users SET memory = '{\"likes\": 2}' RETURNING 1")
    here.answer(accepted.conversation_id)
    again = here.say(lane="a", user="ann")
    assert again.head is not None
    assert (again.head.state, again.head.memory) == ({"mood": 1}, {"likes": 2})


def test_an_accept_run_again_after_a_lost_commit_finds_its_own_turns_and_its_lane(here: Actor) -> None:
    """Law: as duplicates of itself, they count as accepted; and the lane that the first run took is still told."""
    message = arrival(keys=["a"])
    first = here.accept(message)[0]
    again = here.accept(message)[0]
    assert (again.outcome, again.turn_id, again.seq) == ("duplicate", first.turn_id, first.seq)
    assert again.lane == first.lane
    assert again.head is None, "an owner that was told by a duplicate reads the head"


# Lanes


def test_a_lane_that_works_is_not_taken_again(here: Actor) -> None:
    first = here.say()
    second = here.say()
    assert second.lane == first.lane
    assert second.head is None, "it is not the lane's next turn"


def test_a_living_owner_keeps_its_lane(here: Actor, there: Actor) -> None:
    first = here.say()
    elsewhere = there.say()
    assert (elsewhere.outcome, elsewhere.seq, elsewhere.lane, elsewhere.head) == ("new", 2, None, None)
    assert here.lane(first.conversation_id).owner == here.id


def test_an_idle_lane_has_no_owner_and_is_anybodys(here: Actor, there: Actor) -> None:
    first = here.say()
    here.answer(first.conversation_id)
    assert here.lane(first.conversation_id).owner is None
    second = there.say()
    assert second.lane == LaneKey(first.conversation_id, 2, there.process.epoch)
    assert second.head is not None


def test_an_overdue_owner_that_nobody_declared_dead_keeps_its_lane(here: Actor, there: Actor) -> None:
    """Law: it may still beat, and would go on with a lane that it has lost."""
    first = here.say()
    here.fall_silent(3600)
    assert there.say().lane is None
    assert here.lane(first.conversation_id).owner == here.id
    assert here.beat() is not None


def test_a_duplicate_takes_no_idle_lane(here: Actor, there: Actor) -> None:
    """Law: a lane that is held without work is never let go."""
    first = here.say(keys=["a"])
    here.answer(first.conversation_id)
    again = there.say(keys=["a"])
    assert (again.outcome, again.lane) == ("duplicate", None)
    assert here.lane(first.conversation_id).owner is None


def test_a_duplicate_takes_an_orphaned_lane_that_has_work(here: Actor, there: Actor) -> None:
    """Law: whoever passes by may take it; the turn is not the duplicate's alone, so the head must be read."""
    first = here.say("first", keys=["a"])
    here.say("second", keys=["b"])
    here.die(buried_by=there)
    again = there.say(keys=["b"])
    assert (again.outcome, again.seq, again.head) == ("duplicate", 2, None)
    assert again.lane == LaneKey(first.conversation_id, 3, there.process.epoch)
    lane, turn = there.head(first.conversation_id) or pytest.fail("no head")
    assert (lane, turn.seq, turn.message.text) == (again.lane, 1, "first")
    assert not there.lane(first.conversation_id).orphaned


def test_a_process_declared_dead_takes_no_lane_but_its_messages_are_kept(here: Actor, there: Actor) -> None:
    """Law: nobody would ever free a lane that was granted to a process already buried."""
    here.die(buried_by=there)
    accepted = here.say()
    assert (accepted.outcome, accepted.lane, accepted.head) == ("new", None, None)
    lane = there.lane(accepted.conversation_id)
    assert (lane.owner, lane.orphaned) == (None, True)
    assert there.adopt() == [accepted.conversation_id]


def test_a_process_declared_dead_does_not_own_what_it_owned(here: Actor, there: Actor) -> None:
    first = here.say()
    here.die(buried_by=there)
    assert here.say().lane is None
    assert there.adopt() == [first.conversation_id]


def test_an_owner_that_the_ledger_does_not_know_is_dead(here: Actor, there: Actor) -> None:
    """Law: whoever cleans up processes by hand strands no lane; what it may have been running counts a death."""
    first = here.say()
    here.rows("DELETE FROM processes WHERE id = %s RETURNING 1", here.id)
    assert there.say().lane == LaneKey(first.conversation_id, 2, there.process.epoch)
    assert there.one("SELECT deaths FROM turns WHERE id = %s", first.turn_id) == 1


def test_a_key_shared_by_two_conversations_never_mixes_up_their_lanes(here: Actor, there: Actor) -> None:
    """Law: a fence belongs to its own conversation; the repeat is told the turn that it repeats, and no lane of it."""
    one = there.say(lane="one", keys=["shared"])
    two = here.say(lane="two")
    again = here.say(lane="two", keys=["shared"])
    assert (again.outcome, again.turn_id, again.conversation_id) == (
        "duplicate",
        one.turn_id,
        one.conversation_id,
    )
    assert again.lane is None
    assert two.lane is not None


def test_of_a_batch_with_bad_data_nothing_is_written(here: Actor) -> None:
    with pytest.raises(psycopg2.DataError):
        here.accept(arrival("fine"), arrival("nul \0"))
    assert here.rows("SELECT 1 FROM turns UNION ALL SELECT 1 FROM dedupe_keys") == []
