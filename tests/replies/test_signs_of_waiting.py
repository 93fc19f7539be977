"""Signs of life of messages that wait: one, in its time, and in nobody's way."""

from __future__ import annotations

import time
from typing import Any

import gevent
import msgspec
import pytest
from gevent.event import Event

from gateway.channels.base import Ordinary, PlatformAnswer, SignOfLife
from gateway.channels.bots import Bot
from gateway.domain.capabilities import Capabilities
from gateway.domain.errors import CallFailed, TryLater
from gateway.domain.message import Inbound, Message, Sender
from gateway.replies.signs import SignsOfLife
from gateway.settings.accounts import Account
from tests.support.waiting import GUARD_S, until

TABLE = Capabilities(
    shows=frozenset({"text"}),
    answers_in_response=True,
    answer_by_s=5.0,
    turn_deadline_s=30.0,
    late="push",
    redelivery="gives_up",
    text_chars_max=100,
)
SIGN = SignOfLife("https://a.example/typing", {"x": "y"}, b"{}", ("a.example",))


class Lively(Ordinary):
    """A platform that shows them after 0.05 s, at once, or never."""

    def __init__(self, sign: SignOfLife | None = SIGN) -> None:
        self.sign = sign
        self.surfaces = {
            "soon": msgspec.structs.replace(TABLE, alive_after_s=0.05),
            "now": msgspec.structs.replace(TABLE, alive_after_s=0.0),
            "never": TABLE,
            "hours": msgspec.structs.replace(TABLE, alive_after_s=3_600.0),
        }

    def sign_of_life(self, inbound: Inbound, account: Account) -> SignOfLife | None:
        return self.sign


class Client:
    """Takes posts, or fails."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.posted = Event()

    def post(self, url: str, **how: Any) -> PlatformAnswer:
        self.posts.append({"url": url, **how})
        self.posted.set()
        if self.error is not None:
            raise self.error
        return PlatformAnswer(204, {}, b"")


def inbound(surface: str) -> Inbound:
    return Inbound("c", ("k",), Sender("u"), Message("text", "hi"), surface, {})


class Scene:
    def __init__(self, sign: SignOfLife | None = SIGN) -> None:
        self.client = Client()
        self.signs = SignsOfLife(self.client)
        self.bot = Bot(Lively(sign), Account(channel="lively", name="bot", assistant="any"))  # type: ignore[arg-type]

    def begin(self, surface: str) -> Any:
        return self.signs.begin(self.bot, inbound(surface), time.monotonic())


def test_it_is_given_in_its_time() -> None:
    scene = Scene()
    scene.begin("soon")
    assert scene.client.posts == []
    assert scene.client.posted.wait(GUARD_S)

    [post] = scene.client.posts
    assert (post["url"], post["headers"], post["body"]) == (SIGN.url, SIGN.headers, SIGN.body)
    assert post["allowed_hosts"] == ("a.example",)
    until("its end", lambda: len(scene.signs) == 0)


def test_one_that_is_stopped_is_not_given() -> None:
    scene = Scene()
    stop = scene.begin("hours")
    assert len(scene.signs) == 1
    stop()
    stop()
    until("its end", lambda: len(scene.signs) == 0)

    assert scene.client.posts == []


def test_where_there_is_none_nothing_waits() -> None:
    scene = Scene()
    scene.begin("never")()

    assert len(scene.signs) == 0


def test_a_message_that_can_have_none_has_none() -> None:
    scene = Scene(None)
    scene.begin("now")
    until("its end", lambda: len(scene.signs) == 0)

    assert scene.client.posts == []


@pytest.mark.parametrize(
    "error",
    [
        CallFailed("away", reason="connect_refused", sent="never"),
        TryLater("full", reason="pool_full", retry_after_s=1),
    ],
)
def test_a_failure_is_nobody_s_business(error: Exception) -> None:
    """A greenlet that died of it would be told by pytest as an error of its own."""
    scene = Scene()
    scene.client.error = error
    scene.begin("now")
    assert scene.client.posted.wait(GUARD_S)
    until("its end", lambda: len(scene.signs) == 0)


def test_over_the_bound_they_are_left_out() -> None:
    scene = Scene()
    stops = [scene.begin("hours") for _ in range(4_097)]
    assert len(scene.signs) == 4_096
    for stop in stops:
        stop()
    gevent.idle()
    until("their end", lambda: len(scene.signs) == 0)
