"""wrk and what its scripts say of a run."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import gevent
import pytest
from gevent.pywsgi import WSGIServer

from bench.generator import ECHO_BODY, Expected, Shot, fire, parse
from bench.stack import OTHERS_CPU, pinned
from bench.standings import GENERATOR_FULL

OUTPUT = b"""Running 1s test @ http://127.0.0.1:18500/bench/echo
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.31ms    1.20ms  17.61ms   88.91%
    Req/Sec    28.63k     2.10k   32.11k    70.00%
  57210 requests in 2.00s, 21.66MB read
Requests/sec:  28604.01
Transfer/sec:     10.83MB

{"requests":57210,"took_us":2000068,"wrong_statuses":1,"wrong_lengths":20,"socket_errors":0,"timeouts":3,\
"p50_us":2105,"p99_us":7850}
"""

#: Much work for wrk before each request.
BUSY = """
dofile("rpc.lua")
function request()
   local x = 0
   for i = 1, 600000 do x = x + i % 7 end
   return wrk.format()
end
"""


def test_a_run_is_read_from_its_last_line() -> None:
    """Numbers come from our script; wrk's own lines are for people."""
    shot = parse(OUTPUT)
    assert (shot.requests, shot.p50_us, shot.p99_us) == (57_210, 2_105, 7_850)
    assert shot.rate == pytest.approx(28_604.03, abs=0.01)
    assert shot.wrong == "1 wrong statuses, 20 wrong lengths, 3 timeouts"


@pytest.mark.parametrize(
    "output", [b"", b"unable to connect to 127.0.0.1:1", OUTPUT[:-20], b'{"requests":1}']
)
def test_what_cannot_be_read_ends_the_benchmark(output: bytes) -> None:
    """Half a report is none: nothing is guessed."""
    with pytest.raises(SystemExit, match="nothing that can be read"):
        parse(output)


def test_a_run_without_answers_is_wrong() -> None:
    """A server that answers nothing makes no mistakes either."""
    assert Shot(requests=0, took_us=1, p50_us=0, p99_us=0).wrong == "no answers"


@pytest.mark.usefixtures("wrk")
@pytest.mark.parametrize(
    ("status", "body", "wrong"),
    [
        ("200 OK", b"12345", r""),
        ("200 OK", b"123456", r"[\d,]+ wrong lengths"),
        ("201 Created", b"12345", r"[\d,]+ wrong statuses"),
        ("503 Service Unavailable", b"12345", r"[\d,]+ wrong statuses"),
    ],
)
def test_every_answer_of_a_run_is_looked_at(status: str, body: bytes, wrong: str) -> None:
    """wrk by itself would let any status below 400 and any length pass."""

    def app(environ, start_response):
        start_response(status, [("Content-Length", str(len(body)))])
        return [body]

    with_server = Recorded(app)
    shot = with_server.fire("rpc.lua", Expected(200, 5))
    assert re.fullmatch(wrong, shot.wrong)
    assert shot.busy_s > 0
    if wrong:
        assert shot.wrong_lengths + shot.wrong_statuses == shot.requests


@pytest.mark.usefixtures("wrk")
@pytest.mark.parametrize(
    ("script", "method", "path"),
    [
        ("echo.lua", "POST", r"/bench/any"),
        ("rpc.lua", "GET", r"/bench/any"),
        ("get.lua", "GET", r"/bench/kvs/get-0\d{4}"),
        ("put.lua", "PUT", r"/bench/kvs/put-0\d{4}"),
    ],
)
def test_a_script_asks_what_its_line_says(script: str, method: str, path: str) -> None:
    """Method, path and body; keys at random, all over the table."""
    asked: set[tuple[str, str, bytes]] = set()

    def app(environ, start_response):
        body = environ["wsgi.input"].read()
        asked.add((environ["REQUEST_METHOD"], environ["PATH_INFO"], body))
        start_response("200 OK", [("Content-Length", "0")])
        return []

    assert Recorded(app).fire(script, Expected(200, 0)).wrong == ""
    assert {method} == {method for method, _, _ in asked}
    assert all(re.fullmatch(path, each) for _, each, _ in asked)
    bodies = {body for _, _, body in asked}
    if script == "echo.lua":
        assert bodies == {ECHO_BODY}
    if "kvs" in path:
        numbers = [int(each[-5:]) for _, each, _ in asked]
        assert min(numbers) < 2_000
        assert max(numbers) > 8_000
        assert len({len(body) for body in bodies}) == 1


@pytest.mark.usefixtures("wrk")
@pytest.mark.parametrize(
    ("script", "later_s", "counts"),
    [
        pytest.param("rpc.lua", 0.02, True, id="the opening is left out"),
        pytest.param("rpc.lua", 10.0, False, id="unless there is nothing else"),
        pytest.param("get.lua", 0.02, False, id="and where nobody waits it is nothing"),
    ],
)
def test_the_rate_of_who_waits_is_that_after_the_opening(script: str, later_s: float, counts: bool) -> None:
    """Not how fast a thousand connections are opened, which would be a good part of a short run."""
    numbers = itertools.count()

    def app(environ, start_response):
        # Four connections: each one's first answer is late.
        gevent.sleep(0.2 if next(numbers) < 4 else later_s)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    shot = Recorded(app).fire(script, Expected(200, 0), seconds=0.5)
    assert shot.wrong == ""
    whole = 1e6 * shot.requests / shot.took_us
    if counts:
        assert shot.counted == shot.requests - 4
        assert shot.rate == 1e6 * shot.counted / shot.counted_us
        assert shot.rate > 1.2 * whole
    else:
        assert shot.counted == 0
        assert shot.rate == whole


@pytest.mark.usefixtures("wrk")
def test_a_core_that_others_have_leaves_wrk_no_more_time(tmp_path: Path) -> None:
    """What it would have used of it counts too; an idle one has time, whoever else is there."""

    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "0")])
        return []

    def late(environ, start_response):
        gevent.sleep(0.1)
        return app(environ, start_response)

    busy = tmp_path / "busy.lua"
    busy.write_text(BUSY)
    with pinned(OTHERS_CPU):
        other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        shot = Recorded(app).fire(str(busy), Expected(200, 0), seconds=0.6, connections=16)
        idle = Recorded(late).fire("rpc.lua", Expected(200, 0), seconds=0.5)
    finally:
        other.kill()
        other.wait()
    assert shot.wrong == idle.wrong == ""
    assert shot.wanted_share >= GENERATOR_FULL > shot.busy_s / (shot.took_us / 1e6)
    assert idle.wanted_share < GENERATOR_FULL


class Recorded:
    """A server in this process, for one run."""

    def __init__(self, app) -> None:
        self._server = WSGIServer(("127.0.0.1", 0), app, log=None)

    def fire(self, script: str, expected: Expected, *, seconds: float = 0.2, connections: int = 4) -> Shot:
        self._server.start()
        try:
            url = f"http://127.0.0.1:{self._server.server_port}/bench/any"
            return fire(url, script, expected, connections=connections, seconds=seconds, cpu=OTHERS_CPU)
        finally:
            self._server.stop()
