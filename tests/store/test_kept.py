"""What is kept for a later turn: told once, in order, with the response of a turn of the same conversation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.domain.reply import Reply, Text
from gateway.domain.turn import OutboxDraft
from gateway.store.ledger import forget, kept, outbox, push
from gateway.store.ledger.kept import TOLD_MAX, Kept
from gateway.store.ledger.outbox import Finish
from tests.support.actor import Actor

LANE = "user:device"


def keep(actor: Actor, text: str = "a", *, lane: str = LANE, **how: object) -> int:
    """Answer a turn too late; return the outbox row."""
    said = actor.say(text, lane=lane, channel="alexa")
    draft = OutboxDraft(kind="response", payload={}, resend_unknown=True, **{"kept_s": 60.0, **how})  # type: ignore[arg-type]
    return actor.answer(said.conversation_id, drafts=[draft]).outbox_ids[0]


def ask(actor: Actor, *, lane: str = LANE) -> int:
    """Say something that is answered in time; return the turn."""
    said = actor.say("next", lane=lane, channel="alexa")
    actor.answer(said.conversation_id)
    return said.turn_id


def tell(actor: Actor, turn_id: int) -> list[Kept]:
    return kept.tell(actor.cursor, actor.process, [turn_id])[0]


def words(told: list[Kept]) -> list[str]:
    return [part.text for each in told for part in each.reply.parts if hasattr(part, "text")]


def states(actor: Actor) -> list[str]:
    return [row[0] for row in actor.rows("SELECT state FROM outbox ORDER BY id")]


def test_what_is_kept_is_told_with_the_next_turn_and_once(here: Actor, there: Actor) -> None:
    """Law: whichever process answers next tells it, and nobody tells it after that."""
    row = keep(here, "invent one")
    told = tell(there, ask(there))

    assert words(told) == ["to invent one"]
    assert [(each.outbox_id, each.taken, each.maybe_repeat, each.unasked) for each in told] == [
        (row, True, False, False)
    ]
    assert there.finish(Finish(row, "sent")) == [True]
    assert tell(here, ask(here)) == []


def test_several_are_told_in_their_order_and_so_many_at_once(here: Actor) -> None:
    """Law: nobody is told a dozen answers; the rest is told after the turn that comes next."""
    rows = [keep(here, f"question {n}") for n in range(TOLD_MAX + 2)]
    first = tell(here, ask(here))
    here.finish(*[Finish(each.outbox_id, "sent") for each in first])
    second = tell(here, ask(here))

    assert [each.outbox_id for each in first + second] == rows
    assert len(first) == TOLD_MAX


def test_what_is_kept_is_no_worker_s_to_send(here: Actor) -> None:
    """Law: there is no way to send it, so no job carries it, and a look for rows without one gives it none."""
    keep(here)
    outbox.mend(here.cursor, None, 100)

    assert here.rows("SELECT id FROM jobs") == []
    assert states(here) == ["pending"]
    assert outbox.counts(here.cursor) == {}, "it waits for its user, not for us"


def test_it_holds_back_no_message_that_can_be_sent(here: Actor) -> None:
    keep(here, lane="mixed")
    said = here.say(lane="mixed", channel="alexa")
    here.answer(said.conversation_id, pushes=["now"])

    assert [row.payload for row in here.claim() if row.payload] == [{"text": "now"}]


def test_what_was_perhaps_told_is_told_once_more_and_marked(here: Actor) -> None:
    """Law: a response that broke off may have been heard; what is told again says so, and not a third time."""
    row = keep(here)
    [first] = tell(here, ask(here))
    here.finish(Finish(row, "unknown", reason="caller_left"))
    [second] = tell(here, ask(here))
    here.finish(Finish(row, "unknown", reason="caller_left"))

    assert (first.maybe_repeat, second.maybe_repeat) == (False, True)
    assert tell(here, ask(here)) == []
    assert states(here) == ["unknown"]


def test_what_its_process_died_with_is_told_by_another_and_marked(here: Actor, there: Actor) -> None:
    keep(here)
    [told] = tell(here, ask(here))
    here.die(buried_by=there)
    [again] = tell(there, ask(there))

    assert told.taken
    assert (again.taken, again.maybe_repeat) == (True, True)
    assert words([again]) == ["to a"]


def test_a_repeat_of_the_turn_is_told_the_same_again(here: Actor, there: Actor) -> None:
    """Law: the platform asks again because it lost the answer; it gets all of it, and it is nobody's to end anew."""
    row = keep(here)
    turn = ask(here)
    tell(here, turn)
    [meanwhile] = tell(there, turn)
    here.finish(Finish(row, "sent"))
    [after] = tell(there, turn)

    assert (meanwhile.outbox_id, meanwhile.taken) == (after.outbox_id, after.taken) == (row, False)
    assert states(here) == ["sent"]


def test_of_two_responses_at_once_one_tells_it(here: Actor, there: Actor) -> None:
    keep(here)
    first, second = ask(here), ask(here)
    with here.transaction():
        mine = tell(here, first)
        assert tell(there, second) == []

    assert len(mine) == 1


def test_a_turn_s_own_answer_is_not_told_with_it(here: Actor) -> None:
    """Law: who was just told that it takes longer is not told the answer in the same breath; next time."""
    said = here.say("slow", lane=LANE, channel="alexa")
    draft = OutboxDraft(kind="response", payload={}, kept_s=60.0)
    here.answer(said.conversation_id, drafts=[draft])

    assert tell(here, said.turn_id) == []
    assert words(tell(here, ask(here))) == ["to slow"]


def test_what_was_pushed_before_the_response_leaves_is_told_with_the_next(here: Actor) -> None:
    """Law: a timer of no seconds is not told before the word that it is set."""
    turn = ask(here)
    [lane] = [row[0] for row in here.rows("SELECT conversation_id FROM turns WHERE id = %s", turn)]
    place = push.Place("alexa", "bot", LANE, 1, "event", {})
    pushed = push.push(
        here.cursor, here.process, lane, place, Reply((Text("ready"),)), once="timer", payloads=[{}], kept_s=60.0
    )

    assert pushed.outcome == "done"
    assert tell(here, turn) == []
    [told] = tell(here, ask(here))
    assert (words([told]), told.unasked) == (["ready"], True)


def test_what_its_own_caller_may_still_take_is_left_to_it(here: Actor, there: Actor) -> None:
    row = keep(here, due_s=60.0)
    assert tell(here, ask(here)) == []

    assert [*there.claim_responses(*[turn for (turn,) in here.rows("SELECT turn_id FROM outbox")]).values()] == [[row]]


def test_of_a_caller_whose_process_died_it_is_told_at_once(here: Actor, there: Actor) -> None:
    said = here.say("slow", lane=LANE, channel="alexa")
    here.die(buried_by=there)
    there.adopt()
    there.answer(said.conversation_id, drafts=[OutboxDraft(kind="response", payload={}, kept_s=60.0, due_s=60.0)])

    assert words(tell(there, ask(there))) == ["to slow"]


def test_what_is_too_old_is_not_told_and_ends_as_a_dead_letter(here: Actor) -> None:
    """Law: a day later nobody knows what it was about; and it is not lost in silence."""
    keep(here)
    here.rows("UPDATE outbox SET kept_until = clock_timestamp() - interval '1 second' RETURNING id")
    assert tell(here, ask(here)) == []

    assert outbox.mend(here.cursor, None, 100).given_up == 1
    assert here.rows("SELECT state, reason FROM outbox") == [("not_sent", "kept_too_long")]
    assert here.rows("SELECT kind, reason FROM dead_letters") == [("outbox", "not_sent: kept_too_long")]


def test_a_turn_whose_answer_is_kept_is_not_forgotten_before_it_was_told(here: Actor) -> None:
    """Law: where answers are kept for longer than turns are, they are kept all the same: what is told is the turn's."""
    row = keep(here, "an old question")
    here.rows("UPDATE turns SET accepted_at = clock_timestamp() - interval '2 days' RETURNING id")
    assert forget.walk(here.cursor, "turns", 86_400.0, 0, 100).rows == 0
    [told] = tell(here, ask(here))
    assert words([told]) == ["to an old question"]
    assert forget.walk(here.cursor, "turns", 86_400.0, 0, 100).rows == 0, "it is being told"
    here.finish(Finish(row, "sent"))

    assert forget.walk(here.cursor, "turns", 86_400.0, 0, 100).rows == 1


def test_conversations_hear_their_own_alone(here: Actor) -> None:
    keep(here, lane="one")
    assert tell(here, ask(here, lane="another")) == []


def test_one_that_was_declared_dead_takes_nothing(here: Actor, there: Actor) -> None:
    keep(here)
    turn = ask(here)
    here.die(buried_by=there)

    assert tell(here, turn) == []
    assert states(there) == ["pending"]


@pytest.mark.parametrize("fate", ["push", "wait"])
def test_what_could_not_be_told_is_kept_on(here: Actor, fate: str, actors: Callable[..., Actor]) -> None:
    """Law: nothing makes a push of what cannot be pushed, and no job is asked to."""
    row = keep(here)
    tell(here, ask(here))
    here.finish(Finish(row, fate, reason="caller_left"))  # type: ignore[arg-type]

    assert here.rows("SELECT kind, state FROM outbox") == [("response", "pending")]
    assert here.rows("SELECT id FROM jobs") == []
    assert words(tell(here, ask(here))) == ["to a"]
