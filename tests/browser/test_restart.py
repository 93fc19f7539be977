"""The gateway is restarted in the middle of a conversation: the page misses nothing and repeats nothing."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.stage import GUARD_S, Stage, text
from tests.embedded.running import Running

#: What a page has that leaves reconnecting to the browser: it goes on from ``Last-Event-ID`` and heeds ``retry:``.
BROWSERS_OWN = """
url => {
  window.heard = { turns: [], opened: 0, over: 0 };
  const source = new EventSource(url);
  source.onopen = () => heard.opened++;
  source.onerror = () => heard.over += source.readyState === EventSource.CLOSED;
  source.addEventListener("turn", ({ data }) => {
    const { seq, message, parts } = JSON.parse(data);
    heard.turns.push([seq, message.text, parts[0].text]);
  });
}
"""


def reload(switchboard: Running) -> None:
    """SIGHUP: a new worker beside the old one, which then ends.  The port is open all the time."""
    switchboard.gateway_master().send_signal(signal.SIGHUP)


def replace(switchboard: Running) -> None:
    """SIGTERM: everything ends in order; ``switchboard up`` then starts another on the same port."""
    switchboard.gateway_master().terminate()


@pytest.mark.parametrize("restart", [reload, replace])
def test_a_restart_in_the_middle_of_a_conversation(
    chat: ChatPage, switchboard: Running, stage: Stage, restart: Callable[[Running], None]
) -> None:
    name = restart.__name__
    before = set(switchboard.gateway_workers())
    chat.say(f"{name} before")
    chat.wait_answered(f"{name} before")
    chat.run(BROWSERS_OWN, f"{chat.page.url}/events?chat=main")
    wait_for(chat, "the browser's own stream", lambda: len(chat.run("() => heard.turns")) == 1)
    streams = []
    chat.page.on("request", lambda request: streams.append(request) if "/events" in request.url else None)

    under_way = stage.hold(f"{name} under way")
    chat.say(f"{name} under way")
    under_way.wait_asked()
    under_way.delta("half")
    expect(chat.turn(f"{name} under way").locator(".live")).to_contain_text("half")
    restart(switchboard)
    words = [f"{name} meanwhile {number:02d}" for number in range(10)]
    for said in words[:5]:
        chat.say(said)
    # The stream's end tells that the old process is on its way out, with this turn still to finish.
    wait_for(chat, "a new stream", lambda: bool(streams))
    under_way.reply(text("whole"))
    for said in words[5:]:
        chat.say(said)
        chat.wait_answered(said)
    wait_for(chat, "the old process's end", lambda: before.isdisjoint(switchboard.gateway_workers()))
    chat.say(f"{name} after")
    chat.wait_answered(f"{name} after")

    said_and_answered = [
        (f"{name} before", f"echo: {name} before"),
        (f"{name} under way", "whole"),
        *((said, f"echo: {said}") for said in words),
        (f"{name} after", f"echo: {name} after"),
    ]
    assert chat.transcript() == said_and_answered
    assert [stage.times_heard(said) for said, _ in said_and_answered] == [1] * len(said_and_answered)
    # The browser's own stream, which no script of ours looks after.
    wait_for(
        chat,
        "the browser's own stream",
        lambda: len(chat.run("() => heard.turns")) >= len(said_and_answered) or chat.run("() => heard.over"),
    )
    heard = chat.run("() => heard")
    assert heard["over"] == 0
    assert heard["opened"] >= 2
    assert heard["turns"] == [[seq, *turn] for seq, turn in enumerate(said_and_answered, 1)]


def wait_for(chat: ChatPage, what: str, look: Callable[[], bool]) -> None:
    """Return once it is so; the page goes on meanwhile."""
    deadline = time.monotonic() + 2 * GUARD_S
    while not look():
        assert time.monotonic() < deadline, f"not in time: {what}"
        chat.page.wait_for_timeout(20)
