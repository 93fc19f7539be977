"""Web chat's stream as a reader over several connections: nothing is told twice, nothing left out."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.platforms.base import Scene
from gateway.platforms.calls import NotThere
from gateway.platforms.stream import Stream
from gateway.settings.accounts import WebchatAccount
from gateway.settings.secret import Secret
from tests.support.stand_in import Call, StandIn, status
from tests.support.waiting import until

ACCOUNT = WebchatAccount(channel="webchat", name="bar", assistant="x", cookie_secrets=(Secret("s"),))
SCENE = Scene(user="ada", at_s=1_763_800_000.0, number=1)


def turn(seq: int) -> bytes:
    return b'event: turn\nid: %d\ndata: {"seq":%d}\n\n' % (seq, seq)


READY = b'event: ready\ndata: {"seq":1}\n\n'


def stream(*events: bytes) -> Any:
    """Answer with *events*, and end."""
    return lambda call: call.answer(b"".join(events), media="text/event-stream")


def test_a_stream_that_ends_is_read_on_behind_the_last_turn() -> None:
    """The first connection asks for all, each later one for what came behind what was told."""
    answers = iter([stream(turn(1), READY, turn(2)), status("503 Service Unavailable"), stream(turn(3))])
    told: list[int] = []

    def answer(call: Call) -> None:
        next(answers, stream())(call)

    with StandIn(answer) as gateway:
        reader = Stream(gateway.origin, ACCOUNT, SCENE, lambda name, data: told.append(data["seq"]))
        reader.start()
        until("three turns", lambda: 3 in told)
        reader.close()
        asked = [call.headers.get("last-event-id") for call in gateway.calls[:3]]
    assert [seq for at, seq in enumerate(told) if at != 1] == [1, 2, 3]
    assert asked == [None, "2", "2"]


def test_who_cannot_begin_is_told_why() -> None:
    """A refusal before anything was told, and nobody there."""
    with StandIn(status("401 Unauthorized")) as gateway, pytest.raises(NotThere, match="status 401"):
        Stream(gateway.origin, ACCOUNT, SCENE, lambda name, data: None).start()
    with pytest.raises(NotThere, match="Connection refused"):
        Stream("http://127.0.0.1:9", ACCOUNT, SCENE, lambda name, data: None).start()
