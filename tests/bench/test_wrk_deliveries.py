"""wrk's twins of locust's users: each message once, every answer looked at, and the ledger asked afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from gevent.pywsgi import WSGIServer

from bench.generator import Expected, Shot, fire
from bench.stack import OTHERS_CPU
from bench.wrk.__main__ import Taken
from bench.wrk.deliveries import ACKNOWLEDGED

LIMITED = "limited by the generator"
RIGHT = {
    "slack": b"",
    "telegram": b'{"method":"sendChatAction","chat_id":1,"action":"typing"}',
    "alexa": b'{"response":{"outputSpeech":{"ssml":"<speak>Order 7: a gimlet, shaken and strained</speak>"}}}',
    "webchat": b'{"turn_id":"1","seq":1,"duplicate":false}',
}
WRONG = {
    "slack": b"something",
    "telegram": b'{"method":"sendMessage"}',
    "alexa": b'{"response":{"outputSpeech":{"ssml":"<speak>Sorry.</speak>"}}}',
    "webchat": b'{"turn_id":"1","seq":1,"duplicate":true}',
}


class Gateway:
    """A server in this process, for one run."""

    def __init__(self, status: int, body: bytes) -> None:
        self.asked: list[bytes] = []
        self._status, self._body = status, body
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None)

    def fire(self, channel: str, file: Path) -> Shot:
        self._server.start()
        try:
            url = f"http://127.0.0.1:{self._server.server_port}/"
            expected = Expected(ACKNOWLEDGED[channel], 0)
            return fire(
                url, f"{channel}.lua", expected, connections=4, seconds=0.2, cpu=OTHERS_CPU, more=(str(file),)
            )
        finally:
            self._server.stop()

    def _answer(self, environ, start_response):
        if environ["REQUEST_METHOD"] != "POST":
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        self.asked.append(environ["wsgi.input"].read())
        start_response(f"{self._status} OK", [("Content-Length", str(len(self._body)))])
        return [self._body]


def messages(folder: Path, count: int) -> Path:
    """Write requests whose bodies are numbers."""
    path = folder / "requests"
    with path.open("wb") as file:
        for number in range(count):
            body = b"%06d" % number
            head = b"POST /hooks/any/load HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body)
            file.write(b"%d\n%b" % (len(head + body), head + body))
    return path


@pytest.mark.usefixtures("wrk")
@pytest.mark.parametrize("channel", ACKNOWLEDGED)
def test_each_message_is_sent_once(channel: str, tmp_path: Path) -> None:
    """To the byte, and its acknowledgement is right."""
    gateway = Gateway(ACKNOWLEDGED[channel], RIGHT[channel])
    shot = gateway.fire(channel, messages(tmp_path, 20_000))
    assert shot.wrong == ""
    assert 0 < shot.requests <= len(gateway.asked) < 20_000
    assert len(set(gateway.asked)) == len(gateway.asked)
    assert all(len(body) == 6 for body in gateway.asked)


@pytest.mark.usefixtures("wrk")
@pytest.mark.parametrize("channel", ACKNOWLEDGED)
def test_a_wrong_acknowledgement_is_seen(channel: str, tmp_path: Path) -> None:
    """Though its status is right."""
    shot = Gateway(ACKNOWLEDGED[channel], WRONG[channel]).fire(channel, messages(tmp_path, 20_000))
    assert shot.wrong_lengths == shot.requests > 0


@pytest.mark.usefixtures("wrk")
def test_who_runs_out_of_messages_repeats_none(tmp_path: Path) -> None:
    """The run is a wrong one, and no message was sent twice."""
    gateway = Gateway(200, b"")
    shot = gateway.fire("slack", messages(tmp_path, 10))
    assert shot.wrong_statuses == shot.requests - 10 > 0
    assert len(gateway.asked) == 10


def test_what_was_acknowledged_and_is_not_held_is_told() -> None:
    """More may be held than was counted: what was under way when wrk ended."""
    shot = Shot(requests=100, took_us=1_000_000, p50_us=1, p99_us=2)
    assert Taken(shot=shot, held=130, answered=130, gateway_us=1.0).faults == ""
    assert Taken(shot=shot, held=97, answered=97, gateway_us=1.0).faults == "3 not in the ledger"
    assert Taken(shot=shot, held=101, answered=99, gateway_us=1.0).faults == "2 not answered"


def test_wrk_may_be_the_limit() -> None:
    """When it had no time left of its run, whether it ran or waited for its core."""
    for wanted_share, limit in ((0.8, ""), (0.97, LIMITED)):
        shot = Shot(requests=1, took_us=1_000_000, p50_us=1, p99_us=2, busy_s=0.5, wanted_share=wanted_share)
        assert Taken(shot=shot, held=1, answered=1, gateway_us=1.0).limit == limit


def test_so_may_be_who_shares_its_core() -> None:
    """Where gateway and worker have time left on theirs."""
    shot = Shot(requests=1, took_us=1_000_000, p50_us=1, p99_us=2, busy_s=0.1)
    for own_share, others_share, is_limited in ((0.8, 0.9, False), (0.93, 0.98, False), (0.8, 0.96, True)):
        taken = Taken(
            shot=shot, held=1, answered=1, gateway_us=1.0, own_share=own_share, others_share=others_share
        )  # fmt: skip
        assert taken.limit.startswith("limited by what shares a core with the generator") == is_limited
