"""From exec to the first right answer: what a deployment, a crash or a scaled-up process waits for."""

from __future__ import annotations

import contextlib
import http.client
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from bench.answers import WrongAnswer
from bench.contestants import free_port
from bench.evaluation.measure import Plot, Stage, Taken
from bench.evaluation.quiet import wait_quiet
from bench.generator import ECHO_BODY
from bench.stack import GATEWAY_CPU, cpu_s, pinned
from gateway.embedded.child import set_death_signal

__all__ = ["ColdStart", "start"]

_LOOK_S = 0.005
_ANSWER_MAX_S = 60.0
_END_MAX_S = 15.0
_JSON = {"Content-Type": "application/json"}


class ColdStart:
    """The measure."""

    name: str = "cold_start"
    title: str = "Cold start"
    about: str = (
        "From exec to the first right echo, asked for every 5 ms, its files in the page cache. Beside it the processor "
        "time of all its processes until then, in steps of 10 ms."
    )
    value: str = "start_ms"
    unit: str = "ms"
    better: Literal["more", "less"] = "less"
    plot: Plot | None = None
    quick: bool = False
    take_s: float = 1.5

    def __init__(self, contestants: Sequence[str]) -> None:
        self.contestants = contestants

    def take(self, name: str, stage: Stage) -> Taken:
        """Start it, and end it."""
        port = free_port()
        wait_quiet()
        started_s, used_s = start(*stage.command(name, port), port)
        return Taken(values={"start_ms": 1e3 * started_s, "cpu_ms": 1e3 * used_s})


def start(argv: list[str], env: dict[str, str], port: int) -> tuple[float, float]:
    """Return the seconds until the first right echo, and the processor seconds used until then."""
    began = time.perf_counter()
    with _started(argv, env) as process:
        while not _echoes(port):
            if process.poll() is not None:
                raise WrongAnswer(f"ended with status {process.returncode} instead of serving")
            if time.perf_counter() - began > _ANSWER_MAX_S:
                raise WrongAnswer(f"no answer within {_ANSWER_MAX_S:g} s of its start")
            time.sleep(_LOOK_S)
        return time.perf_counter() - began, cpu_s(process.pid)


@contextlib.contextmanager
def _started(argv: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with pinned(GATEWAY_CPU):
        process = subprocess.Popen(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            # Not by the launcher that others are started by: it is a Python, and would be in the number.  There are no
            # threads here that could hold a lock meanwhile.
            preexec_fn=lambda: set_death_signal(signal.SIGKILL),  # noqa: PLW1509
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_MAX_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _echoes(port: int) -> bool:
    """Whether it answers rightly; who has opened its port but is not there yet is waited for."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_MAX_S)
    try:
        connection.request("POST", "/bench/echo", ECHO_BODY, _JSON)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status == 200 and bool(msgspec.json.decode(body) == msgspec.json.decode(ECHO_BODY))
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return False
    finally:
        connection.close()
