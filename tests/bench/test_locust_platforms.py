"""locust's users speak as the platforms do: the product's own channels prove and read what they send."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import msgspec
import pytest
from slack_sdk.signature import SignatureVerifier

from bench.chat.messages import SIGNING_SECRET
from bench.locust.platforms.alexa import CHAIN_PATH, Alexa
from bench.locust.platforms.delivery import Delivery
from bench.locust.platforms.slack import Slack
from bench.locust.platforms.telegram import Telegram
from bench.locust.platforms.webchat import Events, Webchat, cookie_given, words
from bench.wrk.deliveries import ACKNOWLEDGED, Deliveries
from gateway.channels.alexa import AlexaChannel
from gateway.channels.base import Messages
from gateway.channels.slack import SlackChannel
from gateway.channels.telegram import TelegramChannel
from gateway.channels.webchat import WebchatChannel
from gateway.channels.webchat.cookie import issue
from gateway.domain.errors import Unauthentic
from gateway.domain.http import Request
from gateway.domain.message import Inbound
from gateway.embedded.trial_authority import ALEXA_CHAIN, ALEXA_KEY, ALEXA_ROOT, alexa_trial
from gateway.settings.accounts import AlexaAccount, SlackAccount, TelegramAccount, WebchatAccount
from gateway.settings.secret import Secret

NOW_S = time.time()
ADA, NUMBER, TEXT = 176_000_000_000_001, 176_000_000_000_042, "order 176000000000042: something with gin"

authority = cache(alexa_trial)


@cache
def skill() -> Alexa:
    made = authority()
    return Alexa(account="load", skill_id="amzn1.ask.skill.load", key=made[ALEXA_KEY], chain=made[ALEXA_CHAIN])


SLACK = Slack(account="load", signing_secret=SIGNING_SECRET, stand_in="http://127.0.0.1:8099")
TELEGRAM = Telegram(account="load", secret_token="a-secret")
WEBCHAT = Webchat(account="load", cookie_secret="a secret")

_OF_ALL: dict[str, Any] = {"name": "load", "assistant": "bench"}
CHANNELS = ("slack", "telegram", "alexa", "webchat")


def our(channel: str) -> tuple[Any, Any]:
    """Return our channel and an account."""
    match channel:
        case "slack":
            account = SlackAccount(channel=channel, signing_secrets=(Secret(SIGNING_SECRET),), **_OF_ALL)
            return SlackChannel(), account
        case "telegram":
            return TelegramChannel(), TelegramAccount(channel=channel, secret_tokens=(Secret("a-secret"),), **_OF_ALL)
        case "alexa":
            root = Secret(authority()[ALEXA_ROOT])
            return AlexaChannel(), AlexaAccount(
                channel=channel, skill_ids=(skill().skill_id,), trust_root=root, **_OF_ALL
            )
    return WebchatChannel(), WebchatAccount(channel=channel, cookie_secrets=(Secret("a secret"),), **_OF_ALL)


def said(channel: str, person: int = ADA) -> Delivery:
    """Return what somebody says."""
    if channel == "webchat":
        return WEBCHAT.message(person, NUMBER, TEXT, WEBCHAT.cookie(person, NOW_S))
    platform: Any = {"slack": SLACK, "telegram": TELEGRAM}.get(channel) or skill()
    return platform.message(person, NUMBER, TEXT, NOW_S)


def read(channel: str, delivery: Delivery) -> Inbound:
    """Return what our channel makes of a delivery; it proves it first."""
    ours, account = our(channel)
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    request = Request("POST", delivery.path, "", headers, delivery.body)
    assert delivery.path == f"/hooks/{channel}/{account.name}"
    proofs = {
        url: ours.read_proof(url, authority()[ALEXA_CHAIN].encode(), account, NOW_S).value
        for url in ours.proof_urls(request, account)
    }
    ours.verify(request, account, NOW_S, proofs)
    parsed = ours.parse(request, account, NOW_S)
    assert isinstance(parsed, Messages)
    (inbound,) = parsed.inbound
    return inbound


@pytest.mark.parametrize("channel", CHANNELS)
def test_our_channel_proves_and_reads_a_message(channel: str) -> None:
    """Its words, in a conversation that another person does not share."""
    inbound = read(channel, said(channel))
    assert inbound.message.text == TEXT
    assert read(channel, said(channel, ADA + 1)).conversation_key != inbound.conversation_key


@pytest.mark.parametrize(
    ("channel", "header"),
    [
        ("slack", "X-Slack-Signature"),
        ("telegram", "X-Telegram-Bot-Api-Secret-Token"),
        ("alexa", "Signature-256"),
        ("webchat", "Cookie"),
    ],
)
def test_the_proof_is_what_proves_it(channel: str, header: str) -> None:
    """Another message's is refused, or none at all."""
    headers = {name: value for name, value in said(channel).headers.items() if name != header}
    with pytest.raises(Unauthentic):
        read(channel, msgspec.structs.replace(said(channel), headers=headers))


@pytest.mark.parametrize("platform", [SLACK, TELEGRAM])
def test_a_command_says_the_same_in_the_same_conversation(platform: Slack | Telegram) -> None:
    """So its answer stands in order with the others."""
    channel = "slack" if platform is SLACK else "telegram"
    command = read(channel, platform.command(ADA, NUMBER, TEXT, NOW_S))
    assert (command.message.kind, command.message.text) == ("command", TEXT)
    assert command.conversation_key == read(channel, said(channel)).conversation_key


@pytest.mark.parametrize("channel", ["slack", "telegram", "webchat"])
def test_a_redelivery_is_the_same_message(channel: str) -> None:
    """By its keys; Slack signs each anew, and says that it is one."""
    platform: Any = {"slack": SLACK, "telegram": TELEGRAM, "webchat": WEBCHAT}[channel]
    again = platform.again(said(channel), 1, NOW_S)
    assert read(channel, again).dedupe_keys == read(channel, said(channel)).dedupe_keys
    if channel == "slack":
        assert again.headers["X-Slack-Retry-Num"] == "1"
        assert SignatureVerifier(SIGNING_SECRET).is_valid_request(again.body, dict(again.headers))


def test_what_is_posted_is_read_where_it_was_posted() -> None:
    """At the place of the message that it answers; with the wrong token nobody reads it."""
    body = msgspec.json.encode({"channel": f"D{ADA}", "text": "Hello"})
    call = SLACK.called("POST", "/api/chat.postMessage", b"", body)
    assert call is not None
    assert (call.place, call.text) == (said("slack").place, "Hello")
    called = SLACK.called("POST", f"/slack/respond/D{ADA}/7", b"", b'{"text":"Hello"}')
    assert called is not None
    assert (called.place, called.text) == (said("slack").place, "Hello")
    sent = TELEGRAM.called("POST", "/bot1:x/sendMessage", b"", b'{"chat_id":%d,"text":"Hello"}' % ADA)
    assert sent is not None
    assert (sent.place, sent.text) == (said("telegram").place, "Hello")
    strict = msgspec.structs.replace(SLACK, bot_token="xoxb-1")
    refused = strict.called("POST", "/api/chat.postMessage", b"Authorization: Bearer xoxb-2\r\n", body)
    assert refused is not None
    assert not refused.place
    assert b"invalid_auth" in refused.answer


def test_a_sign_of_life_is_no_answer() -> None:
    """ "Typing", and "one moment, please"."""
    for platform, path in ((TELEGRAM, "/bot1:x/sendChatAction"), (skill(), "/v1/directives")):
        call = platform.called("POST", path, b"", b'{"chat_id":1,"action":"typing"}')
        assert call is not None
        assert not call.place


def test_alexas_chain_is_served_where_the_gateway_looks_for_it() -> None:
    """And what she says is read without its marks."""
    call = skill().called("GET", CHAIN_PATH, b"", b"")
    assert call is not None
    assert call.answer.endswith(authority()[ALEXA_CHAIN].encode())
    speech = {"type": "SSML", "ssml": "<speak><p>Gin &amp; lemon</p></speak>"}
    assert skill().answered(msgspec.json.encode({"response": {"outputSpeech": speech}})) == "Gin & lemon"


def test_the_page_gives_the_cookie_that_it_takes() -> None:
    """As a browser keeps it."""
    account: Any = our("webchat")[1]
    head = f"HTTP/1.1 200 OK\r\nSet-Cookie: {issue('v' * 24, account, NOW_S)}\r\n".encode()
    assert read("webchat", WEBCHAT.message(ADA, NUMBER, TEXT, cookie_given(head))).sender.key == "v" * 24


def test_a_stream_is_cut_into_its_events_wherever_it_is_torn() -> None:
    """At every byte."""
    stream = (
        b'retry: 2000\n\nevent: accepted\ndata: {"seq":1}\n\n'
        b'id: 1\nevent: turn\ndata: {"seq":1,"parts":[{"text":"Hi"}]}\n\n'
    )
    for at in range(len(stream)):
        events = Events()
        read_of = [*events.feed(stream[:at]), *events.feed(stream[at:])]
        assert [name for name, _ in read_of] == [b"accepted", b"turn"]
        assert words(read_of[1][1]["parts"]) == "Hi"


@pytest.mark.parametrize("channel", ACKNOWLEDGED)
def test_wrks_files_hold_messages_that_all_differ(channel: str, tmp_path: Any) -> None:
    """Whole requests, each behind its length."""
    for name in (ALEXA_KEY, ALEXA_CHAIN):
        (tmp_path / name).write_text(authority()[name])
    deliveries, found = Deliveries(tmp_path), []
    for _ in range(2):
        rest = deliveries.write(channel, 5).read_bytes()
        while rest:
            length, _, rest = rest.partition(b"\n")
            found.append(rest[: int(length)])
            rest = rest[int(length) :]
    assert len(set(found)) == 10
    assert all(request.startswith(b"POST /hooks/%b/load HTTP/1.1\r\n" % channel.encode()) for request in found)
