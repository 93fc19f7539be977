"""The whole process over real HTTP."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from standardwebhooks import Webhook

from gateway.assistants.preview import Delta, PartPreview, Typing
from gateway.assistants.stream import StreamDecoder
from gateway.domain.reply import Card, Reply, Text
from gateway.settings.assistants import AssistantSettings
from tests.demo.serving.process import Process, body, running

STREAM = {"accept": "application/json, text/event-stream"}
SECRET = "whsec_" + base64.b64encode(b"a secret of exactly thirty bytes").decode()
BOUNDS = AssistantSettings(kind="http", url="http://localhost/")


@pytest.fixture(scope="module")
def bartender() -> Iterator[Process]:
    with running("bartender", BARTENDER_INVENT_S="0.5") as process:
        yield process


def test_a_turn_gets_a_reply(bartender: Process) -> None:
    """JSON that the published schema accepts, with the state that the next turn brings back."""
    status, answer = bartender.ask(body("what is a negroni"))
    reply = msgspec.json.decode(answer, type=Reply)

    assert status == 200
    assert any(isinstance(part, Card) and part.title == "Negroni" for part in reply.parts)
    assert isinstance(reply.state, dict)

    answer = bartender.ask(body("how do I make it?", state=reply.state))[1]
    assert "30 ml Campari" in answer.decode()


def test_an_ordinary_answer_streams_too(bartender: Process) -> None:
    """The gateway's own decoder reads previews that add up to the text, the finished parts, and the same reply."""
    plain = bartender.ask(body("what is a negroni"))[1]
    decoder = StreamDecoder(BOUNDS)
    previews = list(decoder.feed(bartender.ask(body("what is a negroni"), STREAM)[1]))
    reply = decoder.close()

    assert reply == msgspec.json.decode(plain, type=Reply)
    assert isinstance(previews[0], Typing)
    text = "".join(preview.text for preview in previews if isinstance(preview, Delta))
    assert [part.text for part in reply.parts if isinstance(part, Text)] == [text.strip()]
    finished = [preview.part for preview in previews if isinstance(preview, PartPreview)]
    assert [type(part) for part in finished] == [Text, Card]


def test_a_surface_that_does_not_stream_gets_json(bartender: Process) -> None:
    """However the call's Accept header reads."""
    answer = bartender.ask(body("surprise me", surface={"shows": ["text"], "streams": False}), STREAM)[1]

    assert msgspec.json.decode(answer, type=Reply).parts


def test_an_invention_is_told_slowly(bartender: Process) -> None:
    """The first words are there long before the reply."""
    connection = bartender.connect()
    begun = time.monotonic()
    connection.request("POST", "/turn", body("invent one for me"), STREAM)
    response = connection.getresponse()
    first = response.read1()
    first_s = time.monotonic() - begun
    rest = response.read()
    whole_s = time.monotonic() - begun
    connection.close()

    assert first.startswith(b"event: typing\n")
    assert b"event: reply" not in first
    assert rest.count(b"event: reply") == 1
    assert whole_s >= 0.4
    assert first_s < whole_s / 2


def test_an_invention_keeps_the_deadline(bartender: Process) -> None:
    """It is told faster when the turn has less time, and at once when there is none; streamed or not."""
    for headers in (STREAM, {}):
        begun = time.monotonic()
        status, answer = bartender.ask(body("invent one for me", deadline_ms=0), headers)

        assert status == 200
        assert b"never made before" in answer
        assert time.monotonic() - begun < 0.4


def test_a_repeat_gets_the_same_bytes(bartender: Process) -> None:
    """The key decides, not the body; as a stream it is the same reply, told at once."""
    key = {"idempotency-key": "turn-987"}
    first = bartender.ask(body("surprise me"), key)
    again = bartender.ask(body("hello", deadline_ms=1), key)
    streamed = bartender.ask(body("surprise me"), key | STREAM)

    assert again == first
    assert first[1] in streamed[1]
    assert bartender.ask(body("hello"))[1] != first[1]


def test_an_old_fence_is_refused(bartender: Process) -> None:
    """A newer owner of the conversation has called already."""
    assert bartender.ask(body("hello", conversation="fenced", fence=8))[0] == 200
    assert bartender.ask(body("hello", conversation="fenced", fence=7)) == (409, b'{"error":"old_fence"}')
    assert bartender.ask(body("hello", conversation="fenced", fence=8))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "/healthz", b"", 200),
        ("HEAD", "/healthz", b"", 200),
        ("POST", "/healthz", b"{}", 405),
        ("GET", "/turn", b"", 405),
        ("POST", "/elsewhere", b"{}", 404),
        ("POST", "/turn", b"", 400),
        ("POST", "/turn", b"\xff\xfe", 400),
        ("POST", "/turn", b"[" * 200_000, 400),
        ("POST", "/turn", b'{"turn_id": 5}', 400),
        ("POST", "/turn", b" " * 600_000, 413),
    ],
)
def test_other_calls_are_answered_too(
    bartender: Process, method: str, path: str, sent: bytes, status: int
) -> None:
    """Probes, wrong paths and methods, and bodies that are no turn: a clear status each."""
    connection = bartender.connect()
    connection.request(method, path, sent)

    assert connection.getresponse().status == status
    connection.close()


def test_with_a_secret_only_signed_calls_are_answered() -> None:
    """Signed by the reference library: yes.  Unsigned, or signed for another body: no."""
    with running("bartender", BARTENDER_SIGNING_SECRET=SECRET) as bartender:
        sent = body("hello")
        now = datetime.now(tz=UTC)
        headers = {
            "webhook-id": "turn_123_1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(SECRET).sign("turn_123_1", now, sent.decode()),
        }

        assert bartender.ask(sent, headers)[0] == 200
        assert bartender.ask(body("goodbye"), headers)[0] == 401
        assert bartender.ask(sent) == (401, b'{"error":"unsigned"}')


def test_a_stop_lets_the_running_answer_end_and_idle_connections_go() -> None:
    """SIGTERM in the middle of an invention: it is told to its end, the idle connection closes, the exit is clean."""
    with running("bartender", BARTENDER_INVENT_S="1.5") as bartender:
        idle = bartender.connect()
        idle.request("GET", "/healthz")
        idle.getresponse().read()
        busy = bartender.connect()
        busy.request("POST", "/turn", body("invent one for me"), STREAM)
        response = busy.getresponse()
        assert response.read1().startswith(b"event: typing")

        begun = time.monotonic()
        bartender.popen.send_signal(signal.SIGTERM)
        assert idle.sock.recv(1) == b""
        assert time.monotonic() - begun < 1, "the idle connection was held until the invention had been told"

        assert b"event: reply" in response.read()
        assert bartender.popen.wait(timeout=10) == 0
        idle.close()
        busy.close()


def test_a_taken_port_is_one_line(bartender: Process) -> None:
    """No traceback: the address, and what is wrong with it."""
    ended = subprocess.run(
        [sys.executable, "-m", "gateway.demo.bartender", "--port", str(bartender.port)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"http://127.0.0.1:{bartender.port}: Address already in use" in ended.stderr
