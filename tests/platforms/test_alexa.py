"""Alexa's own side and our channel, each written by itself from Amazon's documents: they understand each other."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from gateway.channels.base import Messages
from gateway.channels.registry import CHANNELS
from gateway.domain.errors import TryLater
from gateway.domain.http import Request
from gateway.domain.message import Inbound
from gateway.domain.reply import Card, Image, Reply, Speech, Suggestions, Text
from gateway.embedded.trial_authority import ALEXA_CHAIN, ALEXA_ROOT, alexa_trial
from gateway.platforms.alexa import AlexaPlatform
from gateway.platforms.alexa.device import PROBLEM
from gateway.platforms.base import Answer, Call, Control, Say, Scene, Seen, Served, Tap
from gateway.settings.accounts import AlexaAccount
from gateway.settings.secret import Secret
from tests.channels.strategies import replies
from tests.platforms.trial_stack import TrialStack

CHANNEL = CHANNELS["alexa"]
ORIGIN = "http://127.0.0.1:8089"
AT_S = 1_795_000_000.0
BUSY = TryLater("away", reason="postgres", retry_after_s=1)
TOO_LONG = json.dumps(
    {"response": {"outputSpeech": {"type": "SSML", "ssml": f"<speak>{'a' * 8_000}</speak>"}}}
).encode()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "secrets").mkdir()
    for name, text in alexa_trial().items():
        (home / "secrets" / name).write_text(text)
    return home


@pytest.fixture(scope="module")
def platform(home: Path) -> AlexaPlatform:
    return AlexaPlatform(home)


@pytest.fixture(scope="module")
def account(home: Path) -> AlexaAccount:
    return AlexaAccount(
        channel="alexa",
        name="bartender",
        assistant="bartender",
        skill_ids=("amzn1.ask.skill.trial",),
        trust_root=Secret((home / "secrets" / ALEXA_ROOT).read_text()),
        chain_origin=f"{ORIGIN}/alexa/bartender",
        api_hosts=("127.0.0.1:8089",),
    )


def scene(number: int = 1, **more: Any) -> Scene:
    # Now: the certificates of a trial begin a day before they were made.
    return Scene(at_s=more.pop("at_s", time.time()), number=number, origin=ORIGIN, **more)


def delivered(platform: AlexaPlatform, account: AlexaAccount, act: Say | Tap, where: Scene) -> Inbound:
    """Return what our channel takes the platform's delivery for, after all that the spine does."""
    signed = platform.signed(account, platform.deliver(account, where, act), at_s=where.at_s)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    request = Request(signed.method, signed.path, "", headers, signed.body)
    proofs = {}
    for url in CHANNEL.proof_urls(request, account):
        path = url.removeprefix(f"{ORIGIN}/alexa/bartender")
        chain = platform.served(account, Call("GET", path, "", {}, b"", where.at_s, 1)).answer
        proofs[url] = CHANNEL.read_proof(url, chain.body, account, where.at_s).value
    CHANNEL.verify(request, account, where.at_s, proofs)
    parsed = CHANNEL.parse(request, account, where.at_s)
    assert isinstance(parsed, Messages)
    [inbound] = parsed.inbound
    assert inbound.conversation_key == platform.place(account, where)
    return inbound


def seen(platform: AlexaPlatform, account: AlexaAccount, reply: Reply, surface: str = "request") -> Seen:
    """Return what somebody at the device makes of a reply that our channel has rendered."""
    where = scene()
    [payload] = CHANNEL.render(reply, surface, {}, account).payloads
    response = CHANNEL.respond(payload)
    delivery = platform.deliver(account, where, Say("hello"))
    [told] = platform.answered(account, delivery, Answer(response.status, response.body))
    return told


@pytest.mark.parametrize(
    ("said", "kind", "name", "text"),
    [
        ("I have gin and honey", "speech", "CatchAllIntent", "I have gin and honey"),
        ("yes", "speech", "AMAZON.YesIntent", "yes"),
        ("Start over!", "speech", "AMAZON.StartOverIntent", "start over"),
        ("open", "event", "session_started", ""),
        ("exit", "event", "session_ended", ""),
    ],
)
def test_what_is_said_arrives(
    platform: AlexaPlatform, account: AlexaAccount, said: str, kind: str, name: str, text: str
) -> None:
    message = delivered(platform, account, Say(said), scene()).message

    assert (message.kind, message.name, message.text) == (kind, name, text)


def test_a_tap_is_said(platform: AlexaPlatform, account: AlexaAccount) -> None:
    assert delivered(platform, account, Tap(Control("The first one")), scene()).message.text == "The first one"


def test_a_person_is_the_same_in_every_run_and_a_thread_is_another_device(
    platform: AlexaPlatform, account: AlexaAccount, home: Path
) -> None:
    here = delivered(platform, account, Say("a"), scene())
    again = delivered(AlexaPlatform(home), account, Say("b"), scene(2))
    bedroom = delivered(platform, account, Say("c"), scene(3, thread="bedroom"))
    bob = delivered(platform, account, Say("d"), scene(4, user="bob"))

    assert here.conversation_key == again.conversation_key
    assert here.dedupe_keys != again.dedupe_keys
    assert here.sender == bedroom.sender != bob.sender
    assert len({here.conversation_key, bedroom.conversation_key, bob.conversation_key}) == 3


def test_a_reply_is_heard_and_seen(platform: AlexaPlatform, account: AlexaAccount) -> None:
    told = seen(
        platform,
        account,
        Reply(
            (
                Text("Tom & Jerry\nsecond line"),
                Card("Negroni", "Gin", image=Image("https://a.example/n.png", "A Negroni")),
                Suggestions(("Another",)),
            )
        ),
    )

    assert told.text == "Tom & Jerry\nsecond line\nNegroni\nGin"
    assert [each.url for each in told.pictures] == ["https://a.example/n.png"]
    assert told.notes == (
        "spoken",
        "a card: Negroni | Gin\nA Negroni",
        "said into silence: You can say: Another",
        "Alexa listens",
    )


def test_the_end_is_told(platform: AlexaPlatform, account: AlexaAccount) -> None:
    assert seen(platform, account, Reply((Text("Good night."),), end=True)).notes[-1] == "the session ends"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reply=replies)
def test_no_reply_of_ours_is_a_problem_of_alexa_s(platform: AlexaPlatform, account: AlexaAccount, reply: Reply) -> None:
    assert seen(platform, account, reply).text != PROBLEM


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, b"{}"),
        Answer(200, b""),
        Answer(200, b"[]"),
        Answer(200, b"{}"),
        Answer(200, b'{"response":{"outputSpeech":{"type":"SSML","ssml":"<speak>a & b</speak>"}}}'),
        Answer(200, b'{"response":{"outputSpeech":{"type":"SSML","ssml":"<p>a</p>"}}}'),
        Answer(200, TOO_LONG),
        Answer(200, b'{"response":{}}' + b" " * 30_000),
        Answer(200, json.dumps({"response": {"card": {"type": "Simple", "content": "a" * 8_001}}}).encode()),
        Answer(200, b'{"response":{"card":{"type":"Standard","image":{"largeImageUrl":"http://a.example/a.png"}}}}'),
    ],
)
def test_what_amazon_refuses_is_a_problem_here_too(
    platform: AlexaPlatform, account: AlexaAccount, answer: Answer
) -> None:
    """A stand-in that takes everything proves nothing."""
    [told] = platform.answered(account, platform.deliver(account, scene(), Say("hello")), answer)

    assert told.text == PROBLEM


def test_nothing_is_heard_at_the_end_of_a_session(platform: AlexaPlatform, account: AlexaAccount) -> None:
    delivery = platform.deliver(account, scene(), Say("exit"))
    [told] = platform.answered(account, delivery, Answer(200, CHANNEL.accepted(()).body))

    assert (told.text, told.notes) == ("", ("nothing is said: the session is over",))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, b"{}"),
        Answer(200, b""),
        Answer(200, CHANNEL.refuse(None, AlexaAccount(channel="alexa", name="a", assistant="a"), BUSY).body),
        Answer(200, CHANNEL.late("request", AlexaAccount(channel="alexa", name="a", assistant="a")).body),
        Answer(200, b'{"response":{"directives":[]}}'),
    ],
)
def test_whoever_speaks_into_a_session_that_has_ended_is_told(
    platform: AlexaPlatform, account: AlexaAccount, answer: Answer
) -> None:
    """[D] such a response is an error in the skill's log, and nothing of it is heard."""
    [told] = platform.answered(account, platform.deliver(account, scene(), Say("exit")), answer)

    assert told.text == PROBLEM


def test_a_card_without_a_title_begins_with_its_text(platform: AlexaPlatform, account: AlexaAccount) -> None:
    assert seen(platform, account, Reply((Speech("Look."), Text("A list")))).notes[1] == "a card: A list"


# What the gateway calls


def directive(platform: AlexaPlatform, account: AlexaAccount, inbound: Inbound, **headers: str) -> Served:
    sign = CHANNEL.sign_of_life(inbound, account)
    assert sign is not None
    assert sign.url == f"{ORIGIN}/alexa/bartender/v1/directives"
    assert sign.allowed_hosts == account.api_hosts
    given = {**sign.headers, **headers}
    return platform.served(account, Call("POST", "/v1/directives", "", given, sign.body, AT_S, 1))


def test_a_sentence_meanwhile_is_heard_where_somebody_waits(platform: AlexaPlatform, account: AlexaAccount) -> None:
    where = scene()
    served = directive(platform, account, delivered(platform, account, Say("invent one"), where))

    assert (served.answer.status, served.place) == (204, platform.place(account, where))
    assert served.seen == (Seen("One moment, please.", notes=("spoken meanwhile",), kind="progress"),)


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer nonsense", "Basic dHJpYWw=", "Bearer trial.dHJpYWw="])
def test_a_strange_token_is_refused(platform: AlexaPlatform, account: AlexaAccount, token: str) -> None:
    inbound = delivered(platform, account, Say("invent one"), scene())

    assert directive(platform, account, inbound, authorization=token).answer.status == 401


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"header":{"requestId":"r"},"directive":{"type":"X","speech":"<speak/>"}}']
)
def test_a_strange_directive_is_refused(platform: AlexaPlatform, account: AlexaAccount, body: bytes) -> None:
    sign = CHANNEL.sign_of_life(delivered(platform, account, Say("a"), scene()), account)
    assert sign is not None
    served = platform.served(account, Call("POST", "/v1/directives", "", sign.headers, body, AT_S, 1))

    assert (served.answer.status, served.seen) == (400, ())


def test_the_chain_is_where_amazon_s_is_and_nothing_else_is_there(
    platform: AlexaPlatform, account: AlexaAccount, home: Path
) -> None:
    def get(path: str) -> Answer:
        return platform.served(account, Call("GET", path, "", {}, b"", AT_S, 1)).answer

    assert get("/echo.api/echo-api-cert-trial.pem").body == (home / "secrets" / ALEXA_CHAIN).read_bytes()
    assert get("/echo.api/other.pem").status == get("/").status == 404


def test_a_home_that_never_was_up_says_what_to_do(account: AlexaAccount, tmp_path: Path) -> None:
    stranger = AlexaPlatform(tmp_path)

    with pytest.raises(ValueError, match="`switchboard up` makes it"):
        stranger.signed(account, stranger.deliver(account, scene(), Say("a")), at_s=AT_S)


def test_an_account_without_a_skill_says_so(platform: AlexaPlatform) -> None:
    mute = AlexaAccount(channel="alexa", name="mute", assistant="any")

    with pytest.raises(ValueError, match=r"accounts\.alexa\.mute\.skill_ids is empty"):
        platform.deliver(mute, scene(), Say("a"))


def test_a_conversation_with_the_bartender(trial: TrialStack, guest: str) -> None:
    """Launched, asked, a drink invented with a word meanwhile, and ended: gateway, worker, assistant and stand-in."""
    here = ("alexa", "bartender", "--user", guest)
    launched = trial.simulate(*here, "open")
    asked = trial.simulate(*here, "I have rum and lime")
    invented = trial.simulate(*here, "Invent one for me")
    ended = trial.simulate(*here, "exit")

    assert "Alexa listens" in launched.seen[-1].notes
    assert "Daiquiri" in asked.seen[-1].text + " ".join(asked.seen[-1].notes)
    assert [each.text for each in invented.seen if each.kind == "progress"] == ["One moment, please."]
    assert "never made before" in invented.seen[-1].text
    assert ended.seen[-1].notes == ["nothing is said: the session is over"]


def test_another_home_s_key_is_not_amazon_s(account: AlexaAccount, tmp_path: Path) -> None:
    """Law: two copies on one machine do not believe each other."""
    (tmp_path / "secrets").mkdir()
    for name, text in alexa_trial().items():
        (tmp_path / "secrets" / name).write_text(text)

    with pytest.raises(Exception, match="leads to no trusted root"):
        delivered(AlexaPlatform(tmp_path), account, Say("a"), scene())
