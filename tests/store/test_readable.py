"""What another version wrote and this one cannot read harms nobody else."""

from __future__ import annotations

import pytest

from gateway.domain.reply import Reply, Text
from gateway.store.ledger import heads
from tests.support.actor import Actor

STRANGE = [
    ("turns", "message", '{"kind": "telepathy"}'),
    ("turns", "message", "[]"),
    ("turns", "address", '{"channel": 7}'),
    ("conversations", "state", "[1]"),
    ("users", "memory", '"nothing"'),
]


@pytest.mark.parametrize(("table", "column", "value"), STRANGE)
def test_a_turn_that_cannot_be_read_is_told_so_and_its_neighbours_are_whole(
    here: Actor, table: str, column: str, value: str
) -> None:
    bad = here.say(lane="bad", user="bad")
    good = here.say(lane="good", user="good")
    key = {"turns": bad.turn_id, "conversations": bad.conversation_id, "users": 1}[table]
    here.rows(f"UPDATE {table} SET {column} = %s WHERE id = %s RETURNING 1", value, key)
    found = heads.heads(here.cursor, here.process, [bad.conversation_id, good.conversation_id])
    assert [one and (one[1].turn_id, one[1].readable) for one in found] == [
        (bad.turn_id, False), (good.turn_id, True),
    ]  # fmt: skip
    assert not here.answer(bad.conversation_id, state="failed", reason="unreadable").lost


def test_a_settle_whose_next_turn_cannot_be_read_is_written_and_told(here: Actor) -> None:
    first = here.say("one")
    second = here.say("two")
    here.rows("UPDATE turns SET message = '{}' WHERE id = %s RETURNING 1", second.turn_id)
    settled = here.answer(first.conversation_id)
    assert settled.next_turn is not None
    assert (settled.next_turn.turn_id, settled.next_turn.readable) == (second.turn_id, False)


def test_a_reply_that_cannot_be_read_says_nothing(here: Actor) -> None:
    first, second = here.say(lane="a"), here.say(lane="b")
    here.answer(first.conversation_id)
    here.answer(second.conversation_id)
    reply = '{"parts": [{"type": "hologram"}]}'
    here.rows("UPDATE turns SET reply = %s WHERE id = %s RETURNING 1", reply, first.turn_id)
    results = {result.turn_id: result.reply for result in here.results(first.turn_id, second.turn_id)}
    assert results == {first.turn_id: Reply(), second.turn_id: Reply((Text("to hello"),))}
