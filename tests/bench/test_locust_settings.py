"""Settings of a run that do not fit: each is told with what was expected, what came, and what to look at."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.server import StreamServer

from bench.locust.hints import failure
from bench.locust.options import NEEDED, problems
from bench.locust.platforms.delivery import json_answer, request
from bench.locust.platforms.webchat import Webchat
from bench.locust.run import Run
from bench.locust.speakers import SPEAKERS
from bench.locust.visitor import Stream
from bench.locust.wire import Connections, Refused, serve
from tests.bench.locust_options import given

HOST = "http://127.0.0.1:8090"
SLACK = {"slack_account": "load", "slack_signing_secret": "s"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_what_is_missing_is_told_all_at_once() -> None:
    """By the variable that would hold it."""
    found = problems(NEEDED, given(rate=0, slack_account="load"), "")
    assert len(found) == 6
    assert found[0] == "--host: expected where the gateway is, as https://HOST or http://HOST:PORT, got ''"
    assert found[1] == "slack: expected LOAD_SLACK_SIGNING_SECRET (what its deliveries are signed with)"
    assert "LOAD_ALEXA_KEY" in found[3]
    assert found[5] == "--rate: expected more than 0, got 0"


@pytest.mark.parametrize("host", [HOST, f"{HOST}/", "https://chat.example", "http://[::1]:8090"])
def test_what_fits_is_no_problem(host: str) -> None:
    """An address of a gateway's, and one account."""
    assert problems(("slack",), given(**SLACK), host) == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8090", "chat.example", "ftp://chat.example", "http://", "http://chat.example:99999",
        "http://chat.example:x", "http://chat.example/below", "http://ada@chat.example", "http://chat.example?a=b",
    ],
)  # fmt: skip
def test_another_address_is_none(host: str) -> None:
    """Rather than half of it be used, and the other half forgotten."""
    assert problems(("slack",), given(**SLACK), host) == [
        f"--host: expected where the gateway is, as https://HOST or http://HOST:PORT, got {host!r}"
    ]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"stand_in_port": 70_000}, "--stand-in-port: expected 0 to 65535, got 70000"),
        ({"stand_in_url": "here:1"}, "--stand-in-url: expected http://HOST:PORT or https://HOST, got 'here:1'"),
        (
            {"stand_in_host": "::"},
            "--stand-in-url: expected how the deployment reaches it; --stand-in-host ('::') is no address to call",
        ),
        ({"patience_s": -1}, "--patience-s: expected more than 0, got -1"),
        ({"late_s": "nan"}, "--late-s: expected more than 0, got nan"),
        ({"turns": 0}, "--turns: expected more than 0, got 0"),
        ({"seconds": -1}, "--seconds: expected 0 or more, got -1"),
        ({"repeated": 1.5}, "--repeated: expected 0 to 1, got 1.5"),
        ({"says": "anything"}, "--says: expected {number} in it once, got 'anything'"),
        ({"report": "/none/r"}, "--report: expected a file in a folder that can be written to, got '/none/r'"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_told(more: dict[str, object], sentence: str) -> None:
    """Before anything is sent."""
    assert problems(("slack",), given(**{**SLACK, **more}), HOST) == [sentence]


def test_alexas_files_are_looked_at_beforehand(tmp_path: Path) -> None:
    """Whether they are there, and whether they are what they should be."""
    other, missing = tmp_path / "other.pem", "No such file or directory"
    other.write_text("Gin & lemon")
    asked = {"alexa_account": "load", "alexa_skill_id": "s", "alexa_key": other, "alexa_chain": tmp_path / "none.pem"}
    assert problems(("alexa",), given(**asked), HOST) == [
        f"LOAD_ALEXA_KEY: expected a {NEEDED['alexa']['alexa_key']}, got '{other}' with something else in it",
        f"LOAD_ALEXA_CHAIN: expected a {NEEDED['alexa']['alexa_chain']}, got '{tmp_path}/none.pem': {missing}",
    ]


#: Method, path and body of a call of the stand-in.
Called = tuple[str, str, bytes]


class Spoken:
    """One message, to a deployment that answers all with the same bytes; and calls of the stand-in while it waits."""

    def __init__(self, channel: str, answer: bytes, calls: tuple[Called, ...] = (), **more: object) -> None:
        self.told: list[tuple[str, str, str]] = []
        server = serve("127.0.0.1", 0, lambda *_: answer)
        known = {"telegram_account": "load", "telegram_secret_token": "s", "patience_s": 0.05, "rate": 100, **SLACK}
        run = Run(
            f"http://127.0.0.1:{server.server_port}", (channel,), given(**{**known, **more}),
            lambda channel, what, _, wrong: self.told.append((channel, what, wrong)), breath_s=0.0, doubles_s=0.0,
        )  # fmt: skip
        speaker: Any = SPEAKERS[channel](run)
        run.expect(1)
        speaker.enter()
        gevent.sleep(speaker.wait_s())
        speaker.speak()
        platform = Connections(run.stand_in, silence_s_max=5.0)
        self.answers = [
            platform.ask(request(method, path, platform.host, {"Content-Length": str(len(body))}) + body)[0]
            for method, path, body in calls
        ]
        platform.close()
        run.close()
        server.stop()
        self.stand_in = run.stand_in
        self.summary = run.summary()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "status 401: the proof was refused; see LOAD_SLACK_..., which the account must know, and the clock"),
        (404, "status 404: no such account; see --host, LOAD_SLACK_ACCOUNT and [accounts.slack] of the deployment"),
    ],
)
def test_a_refusal_says_what_to_look_at(status: int, words: str) -> None:
    """A wrong secret, and a wrong account or host."""
    spoken = Spoken("slack", json_answer({}, status))
    assert [wrong for _, what, wrong in spoken.told if what == "delivery" and wrong.startswith(words)] != []
    assert spoken.summary.channels["slack"].refused == 1


@pytest.mark.parametrize(("channel", "root"), [("slack", "/api"), ("telegram", "")])
def test_a_platform_that_is_never_called_is_told(channel: str, root: str) -> None:
    """Its messages were taken, and no answer came by: somebody else is called."""
    spoken = Spoken(channel, OK)
    url = f"{spoken.stand_in}{root}"
    sentence = f"nobody called the stand-in for {channel}: expected {url} as the account's api_base_url"
    assert spoken.summary.advice == [sentence]
    assert f"  {sentence}\n" in spoken.summary.text


def test_a_call_that_nobody_here_knows_is_told() -> None:
    """By its last name alone: a token may be before it."""
    spoken = Spoken("slack", OK, (("POST", "/bot1:secret/chat.postMessage", b"{}"),))
    wrong = "nobody is played here who is called at .../chat.postMessage: see api_base_url"
    assert spoken.answers == [404]
    assert ("stand-in", "call", wrong) in spoken.told


def test_a_call_with_another_token_is_told() -> None:
    """By the variable that should be the deployment's, too."""
    call = ("POST", "/api/chat.postMessage", b'{"channel":"D1","text":"Hello"}')
    spoken = Spoken("slack", OK, (call,), slack_bot_token="xoxb-1")
    wrong = "without the bot_token of the account: see LOAD_SLACK_BOT_TOKEN"
    assert ("slack", "call", wrong) in spoken.told
    assert spoken.summary.channels["slack"].wrong == 0
    spoken = Spoken("telegram", OK, (("POST", "/bot2:y/sendMessage", b'{"chat_id":1}'),), telegram_bot_token="1:x")
    assert ("telegram", "call", wrong.replace("SLACK", "TELEGRAM")) in spoken.told


def test_the_first_wrong_words_are_shown() -> None:
    """An assistant that says something else than ``--reply`` is seen to."""
    call = ("POST", "/api/chat.postMessage", b'{"channel":"D1","text":"Hello"}')
    again = ("POST", "/api/chat.postMessage", b'{"channel":"D1","text":"Hello again"}')
    one = Spoken("slack", OK, (call, again)).summary.channels["slack"]
    assert one.wrong == 2
    assert one.text.endswith("1 lost, 2 wrong; the first wrong words: 'Hello'")


def test_an_answer_that_is_not_slacks_is_a_wrong_one() -> None:
    """A host that is somebody else's: a command's user reads it, and for a message nobody does."""
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>"
    one = Spoken("slack", page, commands=1, repeated=0).summary.channels["slack"]
    assert (one.wrong, one.lost) == (1, 1)
    assert one.wrong_text.startswith("not what slack understands")
    one = Spoken("slack", page, commands=0, repeated=0).summary.channels["slack"]
    assert (one.wrong, one.lost) == (0, 1)


def test_a_run_in_which_nothing_was_said_does_not_sound_well() -> None:
    """It had no fault, either."""
    run = Run(HOST, ("slack",), given(**SLACK), lambda *_: None, doubles_s=0.0)
    run.close()
    assert run.summary().messages == 0
    assert "  slack: nothing was said\n" in run.summary().text


def test_a_host_where_nobody_is_does_not_sound_well() -> None:
    """No time is told that nobody took, and what is wrong is told first."""
    wrong = "ConnectionRefusedError: [Errno 111] Connection refused; nobody listens there; see --host"
    run = Run("http://127.0.0.1:1", ("slack",), given(rate=100, **SLACK), lambda *_: None, breath_s=0.0, doubles_s=0.0)
    speaker: Any = SPEAKERS["slack"](run)
    run.expect(1)
    speaker.enter()
    assert "µs a message" not in run.summary().text
    gevent.sleep(speaker.wait_s())
    speaker.speak()
    run.close()
    said = f"1 messages, none answered; none accepted; 1 refused; the first failure: delivery: {wrong}"
    assert run.summary().channels["slack"].text == said
    assert "µs a message" in run.summary().text


def test_a_page_that_is_not_there_is_told() -> None:
    """Before anybody could say a word."""
    server = serve("127.0.0.1", 0, lambda *_: json_answer({}, 404))
    asked = given(webchat_account="load", patience_s=0.05)
    run = Run(f"http://127.0.0.1:{server.server_port}", ("webchat",), asked, lambda *_: None, doubles_s=0.0)
    speaker: Any = SPEAKERS["webchat"](run)
    speaker.begin()
    run.close()
    speaker.leave()
    server.stop()
    hint = "no such account; see --host, LOAD_WEBCHAT_ACCOUNT and [accounts.webchat] of the deployment"
    one = run.summary().channels["webchat"]
    assert one.text == f"nothing was said; the first failure: page: status 404: {hint}"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Refused(503), "status 503"),
        (
            Refused(404),
            "status 404: no such account; see --host, LOAD_SLACK_ACCOUNT and [accounts.slack] of the deployment",
        ),
        (socket.gaierror(-2, "Not known"), "gaierror: [Errno -2] Not known; no such host; see --host"),
        (ssl.SSLError(1, "Wrong version"), "SSLError: Wrong version; see --host: is it https?"),
        (TimeoutError("too late"), "TimeoutError: too late"),
    ],
)
def test_an_error_says_what_to_look_at(error: OSError, words: str) -> None:
    """Where it is mostly one setting."""
    assert failure("slack", error) == words


def test_what_locust_is_told_can_be_listed() -> None:
    """Its own ``--help`` does not know: each option, with its variable."""
    argv = [sys.executable, "-m", "bench.locust.options"]
    told = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
    for name in [name for needed in NEEDED.values() for name in needed] + ["rate", "says", "stand_in_port", "report"]:
        assert f"  --{name.replace('_', '-')} ..." in told
        assert f"[LOAD_{name.upper()}" in told


def test_users_who_come_or_go_later_do_not_change_the_plan() -> None:
    """Everybody's next instant would be somewhere else: half of them at once, or none for as long as it has lasted."""
    run = Run(HOST, ("slack",), given(**SLACK), lambda *_: None, breath_s=0.0, doubles_s=0.0)
    assert run.expect(2)
    run.ready()
    assert run.expect(1), "it begins with as many as there are"
    assert run.opened.is_set()
    assert not run.expect(4)
    assert run.users == 1
    run.close()


def test_a_stream_that_does_not_get_ready_is_told() -> None:
    """It is open, and says nothing."""
    told: list[tuple[str, str, str]] = []

    def silent(connection: Any, _: object) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.recv(1)

    server = StreamServer(("127.0.0.1", 0), silent)
    server.start()
    run = Run(
        f"http://127.0.0.1:{server.server_port}", ("webchat",), given(patience_s=0.05),
        lambda channel, what, _, wrong: told.append((channel, what, wrong)), doubles_s=0.0,
    )  # fmt: skip
    stream = Stream(run, Webchat(account="load"), "cookie=1", "7")
    stream.start()
    stream.close()
    assert told == [("webchat", "stream", "was not ready within 0.05 s")]
    run.close()
    server.stop()


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("bench.locust", "--users=0"), "expected --users to be more than 0, got 0"),
        (("bench.locust", "--rate=nan"), "expected --rate to be more than 0, got nan"),
        (("bench.locust.outside", "--port=70000"), "--port: expected one that is free, got 70000"),
        (("bench.locust.outside", "--alexa=/none"), "--alexa: expected a folder with a file alexa_trial_chain in it"),
    ],
)
def test_a_command_says_what_it_cannot_do(argv: tuple[str, ...], sentence: str) -> None:
    """In a line, before it starts anything."""
    ended = subprocess.run([sys.executable, "-m", *argv], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert f"error: {sentence}" in ended.stderr
    assert "Traceback" not in ended.stderr
