"""Messages that answer nothing, through a whole stack: behind what is being answered, by each channel's way."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from gateway.domain.reply import Reply, Text, Timer
from tests.support.assistant import says
from tests.support.calling import Answer, call
from tests.support.stack import Stack, running_stack, word
from tests.support.stand_in import Hold
from tests.support.stores import Migrated, Stores
from tests.support.visitor import Visitor
from tests.support.waiting import until
from tests.web.stream_reader import StreamReader

TOKEN = "a token of this test run"


@pytest.fixture(scope="module")
def _stack(stores: Stores, migrated: Migrated) -> Iterator[Stack]:
    settings = {"api.tokens": "env:TEST_API_TOKEN"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_API_TOKEN", TOKEN)
        with migrated() as url, running_stack(url, stores.redis.url, settings=settings) as running:
            yield running


@pytest.fixture
def stack(_stack: Stack) -> Iterator[Stack]:
    yield _stack
    print(_stack.logs())


def push(stack: Stack, said: str, text: str, **more: object) -> Answer:
    """Ask for a message to the conversation in which *said* was said."""
    (turn,) = until(f"{said} to be a turn", lambda: stack.ledger.turns(said))
    body = msgspec.json.encode({"parts": [{"type": "text", "text": text}], **more})
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return call(
        stack.port, f"/api/v1/conversations/{turn['conversation_id']}/messages", body=body, headers=headers
    )


def posts(stack: Stack, *words: str) -> list[str]:
    """The texts that Slack was given, of those that hold one of the words."""
    return [each.json["text"] for each in stack.slack.calls if any(one.encode() in each.body for one in words)]


def test_it_comes_behind_the_answer_that_is_being_made(stack: Stack) -> None:
    said, news = word(), word()
    thinking = Hold(says(Reply((Text(f"answer to {said}"),))))
    stack.assistant.will(said, thinking)
    stack.slack.event(said, channel="P1").send(stack.port)
    thinking.wait_reached()

    assert push(stack, said, news).status == 202
    again = push(stack, said, news, key=f"k{news}")
    assert again.status == 202
    thinking.released.set()

    stack.slack.wait_for(news, 2)
    assert posts(stack, said, news) == [f"answer to {said}", news, news]


def test_web_chat_shows_it_to_a_page_that_watches(stack: Stack) -> None:
    said, news = word(), word()
    visitor = Visitor()
    visitor.say(stack.port, said, wait_s=10)

    page = StreamReader(stack.port, "/chat/shop/events", {"Cookie": visitor.cookie})
    page.until("ready")
    push(stack, said, news)

    turn = page.until("turn")[-1]
    assert turn.data["message"] == {"kind": "event", "text": ""}
    assert [part["text"] for part in turn.data["parts"]] == [news]


def test_a_timer_of_an_assistant_comes_back_by_itself(stack: Stack) -> None:
    said, ring = word(), word()
    stack.assistant.will(said, says(Reply((Text("I will ring."),), timers=(Timer("egg", 0.3, (Text(ring),)),))))

    stack.slack.event(said, channel="P2").send(stack.port)

    (rung,) = stack.slack.wait_for(ring)
    assert (rung.json["channel"], rung.json["text"]) == ("P2", ring)


def test_a_timer_is_set_anew_or_stopped_by_its_name(stack: Stack) -> None:
    words = [word() for _ in range(4)]
    first, anew, stop, rings = words
    late, soon = word(), word()
    stack.assistant.will(first, says(Reply((Text("ok"),), timers=(Timer("egg", 3_000, (Text(late),)),))))
    stack.assistant.will(
        anew,
        says(
            Reply(
                (Text("ok"),),
                timers=(Timer("egg", 0.2, (Text(soon),)), Timer("tea", 3_000, (Text(rings),))),
            )
        ),
    )
    stack.assistant.will(stop, says(Reply((Text("ok"),), timers=(Timer("tea"),))))
    for each in (first, anew, stop):
        stack.slack.event(each, channel="P3").send(stack.port)

    stack.slack.wait_for(soon)
    until("the last one to be settled", lambda: stack.ledger.turns(stop)[0]["state"] == "answered")
    waiting = stack.ledger.rows("SELECT payload::text FROM jobs WHERE kind = 'message.push'")
    assert not any(late in row["payload"] or rings in row["payload"] for row in waiting)
