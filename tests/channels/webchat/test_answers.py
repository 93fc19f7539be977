"""What the page is told, and what it is given to draw."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from gateway.channels.base import PlatformAnswer, PlatformClient, Receipt
from gateway.channels.registry import CHANNELS
from gateway.domain.deadline import Deadline
from gateway.domain.errors import Overloaded, StoreUnavailable, TryLater
from gateway.domain.outcome import NotSent
from gateway.domain.reply import Button, Buttons, Reply, Speech, Text
from tests.channels.strategies import replies
from tests.channels.webchat.visitors import ACCOUNT

WEBCHAT = CHANNELS["webchat"]
ADDRESS = {"visitor": "v", "chat": "main", "id": "12345678"}


def test_an_accepted_message_is_told_its_place() -> None:
    """The turn's id is text: JavaScript's numbers end at 2**53."""
    response = WEBCHAT.accepted([Receipt(2**60, 3, True)])

    assert response.status == 202
    assert msgspec.json.decode(response.body) == {"turn_id": str(2**60), "seq": 3, "duplicate": True}


def test_a_late_answer_is_told_to_be_pending() -> None:
    response = WEBCHAT.late("wait", ACCOUNT)

    assert (response.status, msgspec.json.decode(response.body)) == (202, {"pending": True})


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Overloaded("full", reason="lane_full", retry_after_s=1.2), ACCOUNT.busy),
        (StoreUnavailable("away", reason="postgres", retry_after_s=1.2), ACCOUNT.apology),
    ],
)
@pytest.mark.parametrize("surface", ["message", "wait", None])
def test_a_refusal_says_when_to_come_back_and_what_to_show(
    surface: str | None, error: TryLater, words: str
) -> None:
    response = WEBCHAT.refuse(surface, ACCOUNT, error)

    assert response.status == 503
    assert response.headers == (("Retry-After", "2"),)
    expected = {"error": error.reason, "message": words, "retry_after_s": 2}
    assert msgspec.json.decode(response.body) == expected


def test_a_reply_is_drawn_from_the_published_schema() -> None:
    reply = Reply((Text("*Hi*", markdown=True), Buttons("Which?", (Button("Gin", "g"),))), end=True)

    rendered = WEBCHAT.render(reply, "wait", ADDRESS, ACCOUNT)

    assert rendered.degraded == ()
    assert msgspec.json.decode(WEBCHAT.respond(rendered.payloads[0]).body) == {
        "id": "12345678",
        "parts": [
            {"type": "text", "text": "*Hi*", "markdown": True},
            {"type": "buttons", "text": "Which?", "buttons": [{"label": "Gin", "value": "g"}]},
        ],
        "end": True,
    }


def test_speech_is_read_and_not_heard() -> None:
    rendered = WEBCHAT.render(
        Reply((Speech("Cheers", "<speak>Cheers</speak>"),)), "message", ADDRESS, ACCOUNT
    )

    assert msgspec.json.decode(msgspec.json.encode(rendered.payloads[0]["parts"])) == [
        {"type": "text", "text": "Cheers"}
    ]
    assert rendered.degraded == ("speech: shown as text",)


@given(replies)
def test_any_reply_is_one_payload_that_reads_back_as_its_parts(reply: Reply) -> None:
    """All but speech is shown as it is: what the page draws is what the assistant said."""
    seen = msgspec.structs.replace(reply, parts=tuple(p for p in reply.parts if not isinstance(p, Speech)))

    (payload,) = WEBCHAT.render(seen, "message", ADDRESS, ACCOUNT).payloads

    assert (
        msgspec.json.decode(msgspec.json.encode({"parts": payload["parts"]}), type=Reply).parts == seen.parts
    )


def test_nothing_is_pushed_to_a_page() -> None:
    class NoClient:
        """Fails the test if it is called."""

        def post(self, url: str, **_: object) -> PlatformAnswer:
            raise AssertionError(url)

    client: PlatformClient = NoClient()
    outcome = WEBCHAT.send(client, ACCOUNT, {}, idempotency_key="k", deadline=Deadline(1.0), now_s=0.0)

    assert isinstance(outcome, NotSent)
    assert outcome.reason == "no_push"
