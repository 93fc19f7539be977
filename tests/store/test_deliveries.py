"""Dead-lettered deliveries, and the forgetting of dedupe keys."""

from __future__ import annotations

from gateway.store.ledger import deliveries
from tests.support.actor import Actor


def test_a_delivery_that_was_not_understood_is_kept_byte_by_byte(here: Actor) -> None:
    body = bytes(range(256))
    letter = deliveries.dead_letter(
        here.cursor,
        channel="slack",
        account="bot",
        reason="unknown_type",
        detail="no such event",
        body=body,
        content_type="application/json",
    )
    kept = here.one(
        "SELECT id, kind, channel, account, reason, detail, body, content_type, closed_at FROM dead_letters"
    )
    assert (*kept[:6], bytes(kept[6]), *kept[7:]) == (
        letter, "delivery", "slack", "bot", "unknown_type", "no such event", body, "application/json", None,
    )  # fmt: skip


def aged(actor: Actor, key: str, days: int) -> None:
    actor.say(keys=[key])
    actor.rows(
        "UPDATE dedupe_keys SET seen_at = seen_at - make_interval(days => %s) WHERE key LIKE %s RETURNING 1",
        days,
        f"%/{key}",
    )


def test_keys_are_forgotten_by_age_and_channel(here: Actor) -> None:
    """Law: a channel keeps them for longer than its platform redelivers, and no other channel's are touched."""
    aged(here, "old", 8)
    aged(here, "young", 6)
    here.say(keys=["other"], channel="slack-like")
    here.rows(
        "UPDATE dedupe_keys SET seen_at = now() - interval '90 days' WHERE key LIKE '%%other' RETURNING 1"
    )
    assert deliveries.prune(here.cursor, "slack", 7) == 1
    assert deliveries.prune(here.cursor, "slack", 7) == 0
    assert here.rows("SELECT key FROM dedupe_keys ORDER BY key") == [
        ("slack-like/bot/other",),
        ("slack/bot/young",),
    ]
    assert here.say(keys=["young"]).outcome == "duplicate"
    assert here.say(keys=["old"]).outcome == "new"


def test_keys_are_forgotten_in_portions(here: Actor) -> None:
    """Law: no statement grows with what has gathered, or the one that takes too long would never succeed."""
    for number in range(5):
        aged(here, f"old {number}", 8)
    assert [deliveries.prune(here.cursor, "slack", 7, rows_max=2) for _ in range(4)] == [2, 2, 1, 0]
