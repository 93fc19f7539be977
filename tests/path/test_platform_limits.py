"""What Slack takes of one channel: kept to by all workers together, and by each alone while Redis is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.slack_platform import too_many
from tests.support.stack import Stack, running_stack, word
from tests.support.stack_settings import COUNTED_PER_S
from tests.support.stores import Migrated, Stores
from tests.support.waiting import until

#: What a busy machine may take off the time between two posts: the first one may be on its way for longer.
SLACK_S = 0.15


@pytest.fixture(scope="module")
def _stack(stores: Stores, migrated: Migrated) -> Iterator[Stack]:
    # Its workers look for themselves once in a long while: what they hear of in time, they were told.
    settings = {"jobs.poll_s": 2.0}
    with migrated() as url, running_stack(url, stores.redis.url, workers=2, settings=settings) as stack:
        until("both workers to own partitions", lambda: stack.ledger.partition_owners() == 2)
        yield stack


@pytest.fixture
def stack(_stack: Stack) -> Iterator[Stack]:
    """One gateway, and two workers that share the partitions of jobs."""
    yield _stack
    print(_stack.logs())


def say(stack: Stack, channel: str, *, threads: int, account: str = "shop") -> list[str]:
    """Say something in several threads of a channel: conversations of their own, with replies to one place."""
    said = [word() for _ in range(threads)]
    for number, text in enumerate(said):
        stack.slack.event(text, channel=channel, account=account, thread_ts=f"1763800000.{number:06d}").send(
            stack.port
        )
    return said


def test_workers_share_what_a_channel_takes(stack: Stack) -> None:
    """Law: replies of many conversations to one channel leave a rate apart, whoever sends them; those to another
    channel do not wait for them; and to wait is no try."""
    crowded = say(stack, "L1", threads=6, account="counted")
    [elsewhere] = say(stack, "L2", threads=1, account="counted")

    rows = [stack.ledger.wait_outbox(said, "sent")[0] for said in (*crowded, elsewhere)]
    posts = sorted(stack.slack.about(said)[0].arrived for said in crowded)
    for number, arrived in enumerate(posts):
        assert arrived - posts[0] >= number / COUNTED_PER_S - SLACK_S
    assert stack.slack.about(elsewhere)[0].arrived < posts[2]
    assert {row["attempts"] for row in rows} == {1}


def test_too_many_pauses_its_channel_for_all_workers(stack: Stack) -> None:
    """Law: after a 429 nobody posts to that channel before its time, whichever worker is asked to; others go on."""
    [first] = say(stack, "L3", threads=1)
    stack.slack.will(first, too_many(3))
    [refused] = stack.slack.wait_for(first)
    stack.ledger.wait_outbox(first, "pending")
    behind = say(stack, "L3", threads=6)
    [elsewhere] = say(stack, "L4", threads=1)

    for said in (first, *behind, elsewhere):
        stack.ledger.wait_outbox(said, "sent")
    taken = [stack.slack.about(said)[-1] for said in (first, *behind)]
    assert min(call.arrived for call in taken) - refused.ended >= 3.0
    assert stack.slack.about(elsewhere)[0].arrived - refused.ended < 3.0
    assert sum(len(stack.slack.about(said)) for said in behind) == len(behind), "none of them was refused"


def test_a_reply_starts_when_its_owner_is_told(stack: Stack) -> None:
    """Law: the gateway tells whoever owns its partition of what it does not send itself; no look lies between."""
    said = [word() for _ in range(8)]
    for number, each in enumerate(said):
        stack.slack.will(each, too_many(0))
        stack.slack.event(each, channel=f"L{10 + number}").send(stack.port)
    for each in said:
        stack.ledger.wait_outbox(each, "sent")
    took = sorted(stack.slack.about(each)[0].arrived - stack.assistant.about(each)[0].ended for each in said)
    # The jobs' own looks are 2 s apart: of eight most would wait for more than half a second.
    assert took[len(took) // 2] < 0.5
