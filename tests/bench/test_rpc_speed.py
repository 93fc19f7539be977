"""Contestants of bench.rpc: who answers wrongly is found out, who cannot run is told."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from gevent.pywsgi import WSGIServer

from bench.report import Report
from bench.rpc.speed import CONTESTANTS, Contestant, Failed, Sample, Speeds, echo_server, run


class Lying:
    """Answers everybody with what the first one asked: right for one caller in 64."""

    def __init__(self) -> None:
        self._first: list[bytes] = []
        self._server = WSGIServer(("127.0.0.1", 0), self._app, log=None)
        self._server.start()
        self.port: int = self._server.server_port

    def cpu_s(self) -> float:
        return 0.0

    def stop(self) -> None:
        self._server.stop()

    def _app(self, environ, start_response):
        self._first.append(environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Length", str(len(self._first[0])))])
        return [self._first[0]]


@pytest.fixture
def lying() -> Iterator[Lying]:
    server = Lying()
    yield server
    server.stop()


@pytest.mark.parametrize("name", ["ours", "bare", "bare_watcher"])
def test_a_run_counts_calls(name: str) -> None:
    """Ours and the bare loops: they need nothing that must be installed."""
    with echo_server() as echo:
        sample = run(name, echo, warm_s=0.05, measured_s=0.1)
    assert sample.calls > 64
    assert sample.wall_s >= 0.1
    assert 0 < sample.cpu_s < sample.wall_s + 0.1
    assert sample.rate == sample.calls / sample.wall_s


@pytest.mark.parametrize("name", ["ours", "bare", "bare_watcher"])
def test_somebody_elses_answer_is_found_out(lying: Lying, name: str) -> None:
    """Each caller has a body of its own: a client that mixes them up is not fast, it is wrong."""
    with pytest.raises(Failed, match="WrongAnswer"):
        run(name, lying, warm_s=0.05, measured_s=0.1)


def test_a_contestant_that_does_not_exist_says_so() -> None:
    """Whatever it dies of is told in a line."""
    with echo_server() as echo, pytest.raises(Failed, match="KeyError: 'nobody'"):
        run("nobody", echo, warm_s=0.05, measured_s=0.1)


def test_goals_are_ratios_of_medians(capsys: pytest.CaptureFixture[str]) -> None:
    """Who was thrown out keeps no promise, and lets nobody keep one."""
    contestants = {
        each.name: each for each in (CONTESTANTS["ours"], Contestant("a", "A", 2.0), Contestant("b", "B", 5.0))
    }
    speeds = Speeds(contestants)
    speeds.samples = {
        "ours": [sample(300), sample(100), sample(900)],
        "a": [sample(100, echo_share=0.95), sample(100), sample(50)],
        "b": [sample(1)],
    }
    speeds.out["b"] = "WrongAnswer"
    report = Report("bench.rpc", quick=False)
    speeds.report(report)
    speeds.print()
    of_a, of_b = report.goals
    assert (of_a.measured, of_a.ok) == (3.0, True)
    assert math.isnan(of_b.measured)
    assert not of_b.ok
    assert any("the echo server used up to 95%" in note for note in report.notes)
    assert any("B is left out: WrongAnswer" in note for note in report.notes)
    assert "ours: 3.00x" in capsys.readouterr().out


def sample(calls: int, echo_share: float = 0.5) -> Sample:
    return Sample(calls=calls, wall_s=1.0, cpu_s=0.9, echo_share=echo_share, strangers_share=0.0)
