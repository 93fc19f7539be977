"""The whole process over real HTTP."""

from __future__ import annotations

import base64
import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from standardwebhooks import Webhook

from gateway.assistants.preview import Delta, PartPreview, Typing
from gateway.assistants.stream import StreamDecoder
from gateway.demo.tasted.serving.options import read_options
from gateway.domain.reply import Card, Reply, Text
from gateway.settings.assistants import AssistantSettings
from tests.demo.serving.process import Process, body, running

STREAM = {"accept": "application/json, text/event-stream"}
SECRET = "whsec_" + base64.b64encode(b"a secret of exactly thirty bytes").decode()
BOUNDS = AssistantSettings(kind="http", url="http://localhost/")


@pytest.fixture(scope="module")
def tasted() -> Iterator[Process]:
    with running("tasted") as process:
        yield process


def reply_of(answer: bytes) -> Reply:
    return msgspec.json.decode(answer, type=Reply)


def test_a_turn_gets_a_reply_and_its_picture_can_be_fetched(tasted: Process) -> None:
    """JSON that the published schema accepts; what it shows is there, for everybody and for a day."""
    status, answer = tasted.ask(body("carbonara"))
    [card] = [part for part in reply_of(answer).parts if isinstance(part, Card)]
    assert status == 200
    assert card.title == "Spaghetti Carbonara"
    assert card.image
    assert card.image.url.startswith(f"http://127.0.0.1:{tasted.port}/pictures/")

    path = card.image.url.partition(str(tasted.port))[2]
    status, headers, picture = tasted.call("GET", path)
    assert (status, headers["content-type"]) == (200, "image/png")
    assert headers["cache-control"] == "public, max-age=86400"
    assert picture.startswith(b"\x89PNG")
    status, headers, nothing = tasted.call("HEAD", path)
    assert (status, int(headers["content-length"]), nothing) == (200, len(picture), b"")


def test_an_answer_streams_too(tasted: Process) -> None:
    """The gateway's own decoder reads previews that add up to the text, the finished parts, and the same reply."""
    plain = tasted.ask(body("carbonara"))[1]
    decoder = StreamDecoder(BOUNDS)
    previews = list(decoder.feed(tasted.ask(body("carbonara"), STREAM)[1]))
    reply = decoder.close()

    assert reply == reply_of(plain)
    assert isinstance(previews[0], Typing)
    text = "".join(preview.text for preview in previews if isinstance(preview, Delta))
    assert [part.text for part in reply.parts if isinstance(part, Text)] == [text.strip()]
    assert [type(preview.part) for preview in previews if isinstance(preview, PartPreview)] == [Text, Card]


def test_a_restart_forgets_nothing() -> None:
    """Neither what is on the stove nor the timers that run: all of it travels with the turn."""
    with running("tasted") as before:
        reply = reply_of(before.ask(body("cook carbonara"))[1])
        reply = reply_of(before.ask(body("set the timer", state=reply.state))[1])
        assert [(timer.name, timer.after_s) for timer in reply.timers] == [("pasta", 540.0)]
    with running("tasted") as after:
        assert b"Pasta timer: 9 minutes left" in after.ask(body("how long still?", state=reply.state))[1]
        assert b"Step 2 of 5" in after.ask(body("next", state=reply.state))[1]
        stopped = reply_of(after.ask(body("cancel the pasta timer", state=reply.state))[1])
        assert [(timer.name, timer.after_s) for timer in stopped.timers] == [("pasta", None)]


def test_a_repeat_gets_the_same_bytes(tasted: Process) -> None:
    """The key decides, not the body: a call that is made again sets no other timer."""
    key = {"idempotency-key": "turn-987"}
    first = tasted.ask(body("set a timer for 5 minutes"), key)
    again = tasted.ask(body("hello"), key)
    streamed = tasted.ask(body("hello"), key | STREAM)

    assert again == first
    assert first[1] in streamed[1]
    assert tasted.ask(body("hello"))[1] != first[1]


def test_an_old_fence_is_refused(tasted: Process) -> None:
    assert tasted.ask(body("hello", conversation="fenced", fence=8))[0] == 200
    assert tasted.ask(body("hello", conversation="fenced", fence=7)) == (409, b'{"error":"old_fence"}')


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "/healthz", b"", 200),
        ("POST", "/healthz", b"{}", 405),
        ("GET", "/turn", b"", 405),
        ("POST", "/elsewhere", b"{}", 404),
        ("GET", "/pictures/", b"", 404),
        ("GET", "/pictures/dal", b"", 404),
        ("GET", "/pictures/no-such-dish.png", b"", 404),
        ("GET", "/pictures/..%2F..%2Fetc%2Fpasswd.png", b"", 404),
        ("POST", "/pictures/dal.png", b"", 405),
        ("POST", "/turn", b"", 400),
        ("POST", "/turn", b"\xff\xfe", 400),
        ("POST", "/turn", b"[" * 200_000, 400),
        ("POST", "/turn", b" " * 600_000, 413),
    ],
)
def test_other_calls_are_answered_too(tasted: Process, method: str, path: str, sent: bytes, status: int) -> None:
    """Probes, wrong paths and methods, and bodies that are no turn: a clear status each."""
    assert tasted.call(method, path, sent)[0] == status


def test_with_a_secret_only_signed_turns_are_answered_and_pictures_still_shown() -> None:
    """Signed by the reference library: yes.  Unsigned, or signed for another body: no.  A platform signs nothing."""
    with running("tasted", TASTED_SIGNING_SECRET=SECRET) as tasted:
        sent, now = body("hello"), datetime.now(tz=UTC)
        headers = {
            "webhook-id": "turn_123_1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(SECRET).sign("turn_123_1", now, sent.decode()),
        }

        assert tasted.ask(sent, headers)[0] == 200
        assert tasted.ask(body("goodbye"), headers)[0] == 401
        assert tasted.ask(sent) == (401, b'{"error":"unsigned"}')
        assert tasted.call("GET", "/pictures/dal.png")[0] == 200


def test_turns_on_a_socket_and_pictures_on_a_port(tmp_path: Path) -> None:
    """As `switchboard up` has it; the socket goes with the process, and what a killed one left is no obstacle."""
    path = tmp_path / "tasted.sock"
    left_behind = socket.socket(socket.AF_UNIX)
    left_behind.bind(str(path))
    left_behind.close()
    with running("tasted", "--socket", str(path)) as tasted:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(30)
        client.connect(str(path))
        sent = body("carbonara")
        head = f"POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\nConnection: close\r\n\r\n"
        client.sendall(head.encode() + sent)
        response = http.client.HTTPResponse(client)
        response.begin()
        assert f"127.0.0.1:{tasted.port}/pictures/".encode() in response.read()
        client.close()
        assert tasted.call("GET", "/pictures/dal.png")[0] == 200

        tasted.popen.send_signal(signal.SIGTERM)
        assert tasted.popen.wait(timeout=10) == 0
    assert not path.exists()


def test_a_public_address_is_where_pictures_are_fetched(tasted: Process) -> None:
    """Without one a platform is given none: it could not fetch it, and might refuse the whole message."""
    turn = msgspec.json.decode(body("carbonara", conversation="on slack"))
    turn["conversation"]["channel"] = "slack"
    with running("tasted", TASTED_PUBLIC_URL="https://tasted.example.org/") as public:
        answer = public.ask(msgspec.json.encode(turn))[1]

    assert b'"url":"https://tasted.example.org/pictures/spaghetti-carbonara.png"' in answer
    answer = tasted.ask(msgspec.json.encode(turn))[1]
    assert b"Spaghetti Carbonara" in answer
    assert b"/pictures/" not in answer


def test_a_taken_port_is_one_line(tasted: Process) -> None:
    """No traceback: the address, and what is wrong with it."""
    ended = subprocess.run(
        [sys.executable, "-m", "gateway.demo.tasted", "--port", str(tasted.port)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"http://127.0.0.1:{tasted.port}: Address already in use" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "problem"),
    [
        (["--port", "70000"], {}, "--port: expected 0 to 65535, got 70000"),
        ([], {"TASTED_PUBLIC_URL": "tasted.example.org"}, "TASTED_PUBLIC_URL: expected an address"),
        ([], {"TASTED_PUBLIC_URL": "https://t.example/?a=b"}, "TASTED_PUBLIC_URL: expected an address"),
        ([], {"TASTED_SIGNING_SECRET": "hunter2"}, "TASTED_SIGNING_SECRET: expected whsec_"),
        ([], {"TASTED_SIGNING_SECRET": "file:/not/here"}, "TASTED_SIGNING_SECRET: "),
    ],
)
def test_a_wrong_option_ends_the_process_with_a_line(
    arguments: list[str], environ: dict[str, str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the option; a secret is not shown."""
    with pytest.raises(SystemExit):
        read_options(arguments, environ)

    told = capsys.readouterr().err
    assert problem in told
    assert "hunter2" not in told


def test_the_port_is_left_out_where_a_socket_is_given() -> None:
    assert read_options([], {}).port == 0
    assert read_options(["--socket", "/run/x.sock"], {}).port is None
    assert read_options(["--socket", "/run/x.sock", "--port", "0"], {}).port == 0
