"""The last gateway is killed: what it had accepted is answered by the worker that is left, and sent."""

from __future__ import annotations

import time

import pytest

from tests.support.assistant import says
from tests.support.stack import FAST_BEATS, running_stack, word
from tests.support.stand_in import Hold

pytestmark = pytest.mark.slow


def test_a_worker_alone_answers_what_a_killed_gateway_left(database: str, redis_url: str) -> None:
    said, behind = word(), word()
    with running_stack(database, redis_url, settings=FAST_BEATS) as stack:
        thinking = Hold(says("never heard"))
        stack.assistant.will(said, thinking)
        for text in (said, behind):
            stack.slack.event(text, channel="C1").send(stack.port)
        thinking.wait_reached()
        killed = time.monotonic()
        stack.gateways[0].kill()

        posts = [*stack.slack.wait_for(said), *stack.slack.wait_for(behind)]
        took_s = time.monotonic() - killed
        print(f"answered {took_s:.1f} s after the kill, with dead_after_s {FAST_BEATS['lanes.dead_after_s']}")
        print(stack.logs())
        assert [post.json["text"] for post in posts] == [f"echo: {said}", f"echo: {behind}"]
        assert len(stack.assistant.about(said)) == 2, "asked once by the dead one, once by the worker"
        (turn,) = stack.ledger.turns(said)
        assert (turn["state"], turn["deaths"]) == ("answered", 1)

        # A gateway that comes back finds its lanes free, and answers as if nothing had been.
        again = word()
        stack.revive(gateways=1, workers=1)
        stack.slack.event(again, channel="C1").send(stack.alive().port)
        stack.slack.wait_for(again)
