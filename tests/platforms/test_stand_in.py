"""The stand-in over real sockets: what it refuses, keeps, does wrong when asked, and tells who waits."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from gateway.platforms import faults, transcript
from gateway.platforms.base import Seen
from gateway.platforms.calls import NotThere, StandInClient
from gateway.platforms.faults import Fault
from gateway.platforms.inbox import StandInInbox
from gateway.platforms.registry import platforms
from gateway.platforms.server import Server
from gateway.platforms.stand_in import BODY_BYTES_MAX, StandIn
from gateway.platforms.transcript import Transcript
from gateway.settings.accounts import SlackAccount, SlackWorkspace
from gateway.settings.secret import Secret
from tests.support.calling import Answer, call
from tests.support.waiting import GUARD_S

TOKEN = "xoxb-of-a-trial"
BUTTON = {"type": "button", "action_id": "button:1", "value": "v", "text": {"type": "plain_text", "text": "Yes"}}


class Clock:
    """Unix seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1_763_800_000.0
        self.slept_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


class Running:
    """A stand-in that listens."""

    def __init__(self, home: Path) -> None:
        self.clock = Clock()
        account = SlackAccount(
            channel="slack",
            name="bar",
            assistant="bartender",
            bot_token=Secret(TOKEN),
            workspaces={"T1": SlackWorkspace(bot_token=Secret("xoxb-of-one"))},
        )
        self.app = StandIn(
            platforms(home), {("slack", "bar"): account}, now=self.clock, sleep=self.clock.sleep
        )
        self.server = Server(("127.0.0.1", 0), self.app)
        self.server.start()
        self.port = int(self.server.server_port)
        self.client = StandInClient(f"http://127.0.0.1:{self.port}")
        self.slack = WebClient(TOKEN, base_url=f"http://127.0.0.1:{self.port}/slack/bar/api/")

    def shown(self, place: str = "D1") -> list[str]:
        return [entry.seen.text for entry in self.client.past("slack", "bar", place).entries]


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.server.stop(timeout=0)


def post(it: Running, path: str, value: object, headers: dict[str, str] | None = None) -> Answer:
    return call(
        it.port, path, body=msgspec.json.encode(value), headers={"Content-Type": "application/json", **(headers or {})}
    )


def test_slacks_own_client_posts_and_a_user_sees_it(it: Running) -> None:
    """What slack_sdk sends is taken as Slack takes it, and shown as Slack shows it."""
    answer = it.slack.chat_postMessage(
        channel="D1",
        text="for notifications",
        blocks=[
            {"type": "header", "text": {"type": "plain_text", "text": "Which & what?"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "*Bold* &amp; <https://a.example|a link>"}},
            {"type": "image", "image_url": "https://a.example/p.png", "alt_text": "A picture"},
            {"type": "actions", "elements": [BUTTON]},
        ],
    )
    assert answer["ok"]
    [entry] = it.client.past("slack", "bar", "D1").entries
    assert entry.seen.text == "Which & what?\nBold & a link (https://a.example)"
    assert [picture.alt for picture in entry.seen.pictures] == ["A picture"]
    assert [control.label for control in entry.seen.controls] == ["Yes"]


def test_what_is_posted_with_a_workspaces_token_is_seen_in_that_workspace(it: Running) -> None:
    client = WebClient("xoxb-of-one", base_url=it.slack.base_url)
    assert client.chat_postMessage(channel="D1", text="to one")["ok"]
    assert it.shown() == []
    assert [entry.seen.text for entry in it.client.past("slack", "bar.T1", "D1").entries] == ["to one"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"channel": "D1"}, "no_text"),
        ({"channel": "nowhere", "text": "hi"}, "channel_not_found"),
        ({"channel": "D1", "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": "D1", "blocks": [{"type": "section", "text": {"text": "x" * 3_001}}]}, "invalid_blocks"),
        ({"channel": "D1", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"channel": "D1", "blocks": [{"type": "image", "image_url": "https://a.example/p.png"}]}, "invalid_blocks"),
        ({"channel": "D1", "blocks": [{"type": "actions", "elements": [BUTTON, BUTTON]}]}, "invalid_blocks"),
        ({"channel": "D1", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"channel": "D1", "blocks": ["text"]}, "invalid_blocks"),
        ({"channel": "D1", "blocks": [{"type": "actions", "elements": [{"type": "button"}]}]}, "invalid_blocks"),
    ],
)
def test_what_slack_refuses_is_refused_in_its_words_and_shown_to_nobody(
    it: Running, message: dict[str, Any], error: str
) -> None:
    """A stand-in that takes everything would prove nothing."""
    with pytest.raises(SlackApiError) as refused:
        it.slack.api_call("chat.postMessage", json=message)
    assert refused.value.response["error"] == error
    assert it.shown() == []


def test_only_the_accounts_own_token_posts(it: Running) -> None:
    """None, and a wrong one."""
    message = {"channel": "D1", "text": "hi"}
    assert post(it, "/slack/bar/api/chat.postMessage", message).json["error"] == "not_authed"
    wrong = {"Authorization": "Bearer xoxb-of-another"}
    assert post(it, "/slack/bar/api/chat.postMessage", message, wrong).json["error"] == "invalid_auth"
    assert it.shown() == []


def test_an_account_that_the_settings_do_not_have_is_named(it: Running) -> None:
    """A wrong api_base_url is a typing error mostly."""
    answer = post(it, "/slack/baar/api/chat.postMessage", {})
    assert answer.status == 404
    assert "slack/baar" in answer.json["error"]


def test_a_response_url_is_good_for_half_an_hour(it: Running) -> None:
    """As Slack's are; each message behind it is its user's alone unless it says otherwise."""
    number = int(it.clock.now_s * 1_000_000)
    assert post(it, f"/slack/bar/respond/D1/{number}", {"text": "soon"}).body == b"ok"
    it.clock.now_s += 1_801
    assert post(it, f"/slack/bar/respond/D1/{number}", {"text": "late"}).json["error"] == "expired_url"
    [entry] = it.client.past("slack", "bar", "D1").entries
    assert (entry.seen.text, entry.seen.notes) == ("soon", ("only you can see this",))


def test_faults_meet_the_next_messages_once_each_and_in_order(it: Running) -> None:
    """429 with the wait that it asks for and 500 show nothing; slow waits and shows; then all is well."""
    for fault in (Fault("429", 7), Fault("500"), Fault("slow", 3)):
        it.client.tell("slack", "bar", "D1", fault, 1)
    with pytest.raises(SlackApiError) as limited:
        it.slack.chat_postMessage(channel="D1", text="one")
    assert limited.value.response.status_code == 429
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(SlackApiError) as broken:
        it.slack.chat_postMessage(channel="D1", text="two")
    assert broken.value.response.status_code == 500
    assert it.shown() == []
    it.slack.chat_postMessage(channel="D1", text="three")
    assert it.clock.slept_s == [3]
    it.slack.chat_postMessage(channel="D1", text="four")
    assert it.shown() == ["three", "four"]


def test_a_cut_connection_has_shown_its_message(it: Running) -> None:
    """Nobody at the other end can know: that is what the fault is for."""
    it.client.tell("slack", "bar", "D1", Fault("cut"), 1)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        post(
            it,
            "/slack/bar/api/chat.postMessage",
            {"channel": "D1", "text": "cut"},
            {"Authorization": f"Bearer {TOKEN}"},
        )
    assert it.shown() == ["cut"]


def test_a_fault_waits_for_a_message(it: Running) -> None:
    """What shows nothing, and what is refused anyway, does not use it up; cleared, it meets nobody."""
    it.client.tell("slack", "bar", "D1", Fault("500"), 2)
    assert it.slack.auth_test()["ok"]
    with pytest.raises(SlackApiError, match="no_text"):
        it.slack.api_call("chat.postMessage", json={"channel": "D1"})
    with pytest.raises(SlackApiError, match="internal_error"):
        it.slack.chat_postMessage(channel="D1", text="one")
    assert it.client.clear("slack", "bar", "D1") == 1
    it.slack.chat_postMessage(channel="D1", text="two")
    assert it.shown() == ["two"]


def test_a_fault_meets_messages_of_its_own_conversation_alone(it: Running) -> None:
    """Two who try things at once do not spoil each other's."""
    it.client.tell("slack", "bar", "D1", Fault("500"), 1)
    it.slack.chat_postMessage(channel="D2", text="unharmed")
    assert it.client.clear("slack", "bar", "D2") == 0
    with pytest.raises(SlackApiError, match="internal_error"):
        it.slack.chat_postMessage(channel="D1", text="harmed")
    assert it.shown("D2") == ["unharmed"]


def test_nothing_is_kept_for_an_account_that_is_not_there(it: Running) -> None:
    """Nobody could ever meet or see it."""
    with pytest.raises(NotThere, match="there is no account slack/other"):
        it.client.tell("slack", "other", "D1", Fault("500"), 1)
    with pytest.raises(NotThere, match="there is no account slack/other"):
        it.client.keep("slack", "other", "D1", (Seen("hi"),))


def test_faults_that_nobody_meets_are_bounded() -> None:
    """Those that were told first go first; what was met leaves nothing behind."""
    waiting = faults.Faults()
    for number in range(faults.PLACES_MAX + 1):
        waiting.tell(("slack", "bar", f"D{number}"), Fault("500"), 1)
    assert waiting.next(("slack", "bar", "D0")) is None
    assert waiting.next(("slack", "bar", "D1")) == Fault("500")
    assert waiting.next(("slack", "bar", "D1")) is None


def test_who_waits_is_told_at_once_and_of_their_conversation_alone(it: Running) -> None:
    """A long wait that ends with the message, and is not woken for others'."""
    last = it.client.past("slack", "bar", "D1").last
    waiting = gevent.spawn(it.client.wait, "slack", "bar", "D1", last)
    gevent.sleep(0)
    it.slack.chat_postMessage(channel="D2", text="to another")
    it.slack.chat_postMessage(channel="D1", text="news")
    [entry] = waiting.get(timeout=GUARD_S).entries
    assert entry.seen.text == "news"


def test_news_end_a_wait() -> None:
    """However long it would last."""
    kept = Transcript(1, Clock())
    waiting = gevent.spawn(kept.wait, 0, ("slack", "bar", "D1"), 10 * GUARD_S)
    gevent.sleep(0)
    kept.add("slack", "bar", "D1", Seen("news"))
    assert [entry.seen.text for entry in waiting.get(timeout=GUARD_S)] == ["news"]


def test_an_inbox_tells_nothing_twice(it: Running) -> None:
    """What came in a response was seen there; it stands in the past of whoever opens it next."""
    it.slack.chat_postMessage(channel="D1", text="before")
    inbox = StandInInbox(it.client, "slack", "bar", "D1")
    inbox.keep((Seen("responded"),))
    it.slack.chat_postMessage(channel="D1", text="posted")
    news = inbox.next(GUARD_S)
    assert news is not None
    assert news.text == "posted"
    inbox.close()
    past = StandInInbox(it.client, "slack", "bar", "D1")
    assert [seen.text for seen in past.past] == ["before", "responded", "posted"]
    past.close()


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "context", "elements": [{"type": "mrkdwn", "text": 5}]}],
        [{"type": "image", "image_url": 5, "alt_text": "a picture"}],
    ],
)
def test_a_call_with_values_of_wrong_types_is_refused_and_shows_nothing(it: Running, blocks: list[Any]) -> None:
    """Its conversation can be read as before."""
    token = {"Authorization": f"Bearer {TOKEN}"}
    refused = post(it, "/slack/bar/api/chat.postMessage", {"channel": "D1", "blocks": blocks}, token)
    assert (refused.status, it.shown()) == (400, [])
    it.slack.chat_postMessage(channel="D1", text="well")
    assert it.shown() == ["well"]


def test_what_was_shown_in_a_response_is_kept_beside_what_was_posted(it: Running) -> None:
    """In one order, under numbers that are told."""
    it.slack.chat_postMessage(channel="D1", text="posted")
    [number] = it.client.keep("slack", "bar", "D1", (Seen("responded"),))
    entries = it.client.past("slack", "bar", "D1").entries
    assert [entry.seen.text for entry in entries] == ["posted", "responded"]
    assert entries[-1].number == number


def test_a_web_page_cannot_use_the_stand_ins_own_addresses(it: Running) -> None:
    """They want a header that a browser sends nowhere without asking first."""
    for method, path in (("GET", "/stand-in/seen?platform=slack"), ("POST", "/stand-in/faults")):
        assert call(it.port, path, method=method).status == 403
    assert call(it.port, "/stand-in", method="GET").json == {"accounts": ["slack/bar"]}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/stand-in/faults", b"{", 400),
        ("/stand-in/faults", b'{"platform":"slack","account":"bar","fault":{"kind":"flood"}}', 400),
        ("/stand-in/nothing", b"{}", 404),
        ("/stand-in/seen", b" " * (BODY_BYTES_MAX + 1), 413),
    ],
)
def test_a_bad_call_is_refused(it: Running, path: str, body: bytes, status: int) -> None:
    """Its caller reads why."""
    assert call(it.port, path, body=body, headers={"X-Stand-In": "1"}).status == status


def test_what_is_no_stand_in_is_told_from_one(it: Running) -> None:
    """Somebody else's server at the address, and nobody at all."""
    it.server.stop(timeout=0)
    with pytest.raises(NotThere, match="Connection refused"):
        it.client.past("slack", "bar", "D1")


def test_memory_is_bounded_by_count_and_by_age() -> None:
    """The oldest message of a conversation goes first, and the conversation that was silent longest."""
    clock = Clock()
    kept = Transcript(1, clock)
    for number in range(transcript.ENTRIES_MAX + 5):
        kept.add("slack", "bar", "D1", Seen(str(number)))
    assert len(kept.since(-1, "slack", "bar", "D1")) == transcript.ENTRIES_MAX
    assert kept.since(-1, "slack", "bar", "D1")[0].seen.text == "5"

    for number in range(transcript.PLACES_MAX - 1):
        kept.add("slack", "bar", f"C{number}", Seen("hi"))
    assert kept.since(-1, "slack", "bar", "D1")
    kept.add("slack", "bar", "one more", Seen("hi"))
    assert not kept.since(-1, "slack", "bar", "D1")

    full = transcript.MESSAGES_MAX // transcript.ENTRIES_MAX
    for number in range(full * transcript.ENTRIES_MAX):
        kept.add("slack", "bar", f"full {number % full}", Seen("hi"))
    assert len(kept.since(-1, "slack", "bar", "full 0")) == transcript.ENTRIES_MAX
    assert not kept.since(-1, "slack", "bar", "one more"), "as many of all together as it keeps"

    kept.add("slack", "bar", "C0", Seen("hi"))
    clock.now_s += transcript.AGE_S_MAX - 1
    kept.add("slack", "bar", "C0", Seen("young"))
    clock.now_s += 2
    assert [entry.seen.text for entry in kept.since(-1, "slack", "bar", "C0")] == ["hi", "young"]
    assert not kept.since(-1, "slack", "bar", "full 99")
