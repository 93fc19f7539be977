"""Whole conversations through a real gateway and worker: timers come back by themselves, once, whoever is restarted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demo.serving.process import Process, running
from tests.support.stack import Stack, running_stack, word
from tests.support.stores import Stores
from tests.support.visitor import Visitor, texts
from tests.support.waiting import until
from tests.web.stream_reader import StreamReader


@pytest.fixture(scope="module")
def kitchen(stores: Stores, _migrated_template: str) -> Iterator[tuple[Stack, Process]]:
    url = stores.create_database(template=_migrated_template)
    with running("tasted", TASTED_PUBLIC_URL="https://tasted.example") as tasted:
        there = {"assistants.patient.url": f"http://127.0.0.1:{tasted.port}/turn"}
        with running_stack(url, stores.redis.url, settings=there) as stack:
            yield stack, tasted
    stores.drop_database(url)


@pytest.fixture
def stack(kitchen: tuple[Stack, Process]) -> Iterator[Stack]:
    yield kitchen[0]
    print(kitchen[0].logs())


def ask(stack: Stack, channel: str, text: str, expected: str) -> str:
    """Say *text* on Slack; return the answer, which holds *expected*."""

    def answers() -> list[str]:
        return [call.body.decode() for call in stack.slack.calls if call.json.get("channel") == channel]

    before = len(answers())
    stack.slack.event(text, channel=channel).send(stack.port)
    return until(
        f"{expected!r} after {text!r}", lambda: next((one for one in answers()[before:] if expected in one), "")
    )


def rung(stack: Stack, channel: str) -> list[str]:
    """What was written to *channel* by timers."""
    told = [call.json["text"] for call in stack.slack.calls if call.json.get("channel") == channel]
    return [text for text in told if "time is up" in text]


def test_dinner_with_a_timer_that_comes_back(stack: Stack) -> None:
    """Found, cooked, timed, called for, and gone on with."""
    ask(stack, "D1", "What can I cook with eggs and potatoes?", "Tortilla Espa")
    ask(stack, "D1", "carbonara for 4", "https://tasted.example/pictures/spaghetti-carbonara.png")
    ask(stack, "D1", "how much pecorino?", "100 g pecorino, for 4.")
    ask(stack, "D1", "cook it", "https://tasted.example/pictures/boil-spaghetti-carbonara.png")
    ask(stack, "D1", "set a pasta timer for 1 second", "I will write to you when it is time")

    until("the timer to ring", lambda: rung(stack, "D1"))
    ask(stack, "D1", "how long still?", "No timer is running.")
    ask(stack, "D1", "next", "Step 2 of 5")
    assert len(rung(stack, "D1")) == 1


def test_one_of_two_timers_is_taken_back(stack: Stack) -> None:
    """It leaves nothing behind that could ring; the other one does."""
    kept, dropped = word(), word()
    ask(stack, "D2", f"set a timer for 50 minutes for the {dropped}", "I will write")
    ask(stack, "D2", f"set a timer for 1 hour for the {kept}", "I will write")
    both = ask(stack, "D2", "how long still?", "50 minutes left")
    assert kept.capitalize() in both

    ask(stack, "D2", f"cancel the {dropped} timer", "cancelled")
    left = stack.ledger.rows("SELECT payload::text FROM jobs WHERE kind = 'message.push'")
    assert [row for row in left if kept in row["payload"]]
    assert not [row for row in left if dropped in row["payload"]]

    ask(stack, "D2", f"set a timer for 1 second for the {kept}", "from the beginning")
    until("the timer to ring", lambda: rung(stack, "D2"))
    ask(stack, "D2", "how long still?", "No timer is running.")
    assert len(rung(stack, "D2")) == 1
    assert kept.capitalize() in rung(stack, "D2")[0]


def test_a_page_that_watches_is_called(stack: Stack) -> None:
    """In web chat the ring is a turn of its own, with its controls."""
    visitor = Visitor()
    assert texts(visitor.say(stack.port, "cook dal", wait_s=20)) == ["Dal for 4, step by step."]
    page = StreamReader(stack.port, "/chat/shop/events", {"Cookie": visitor.cookie})
    page.until("ready")
    visitor.say(stack.port, "set a lentil timer for 1 second")

    def ring() -> list[object]:
        parts = [part for turn in page.until("turn") for part in turn.data.get("parts", ())]
        return [part for part in parts if "Lentil timer: time is up" in str(part)]

    assert until("the timer to ring", ring)


def test_a_timer_rings_although_tasted_is_dead_and_dinner_goes_on_when_it_is_back(
    kitchen: tuple[Stack, Process], stack: Stack
) -> None:
    """Law: nothing of a conversation is in its process.  (The last test of this file: it ends the first one.)"""
    tasted = kitchen[1]
    ask(stack, "D3", "cook carbonara", "step by step")
    ask(stack, "D3", "set a timer for 2 seconds for the pasta", "I will write")
    tasted.popen.kill()
    tasted.popen.wait()
    until("the timer to ring", lambda: rung(stack, "D3"))

    with running("tasted", "--port", str(tasted.port)):
        ask(stack, "D3", "where was I?", "You are cooking Spaghetti Carbonara.")
        assert len(rung(stack, "D3")) == 1
