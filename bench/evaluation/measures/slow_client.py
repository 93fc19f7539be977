"""Slow clients among fast ones: what those wait who do nothing wrong."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from bench.answers import WrongAnswer
from bench.beside import STOP_MAX_S, beside
from bench.evaluation.arrivals.asking import Asking
from bench.evaluation.arrivals.generator import generator
from bench.evaluation.arrivals.orders import Heard, Load
from bench.evaluation.measure import Plot, Stage, Taken
from bench.evaluation.measures.dawdling import CONNECTED, COUNTS, LARGE_BYTES, Dawdled, Slow, large
from bench.lines import LINES, Line

__all__ = ["SlowClient", "dawdlers", "slow_clients"]

#: Fast requests a second, of everybody: at most half of what the slowest can, so that nobody waits for want of
#: processor time.
RATE = 2_000.0
#: Seconds: nobody looks yet, because slow readers' large requests come at once; then they do.
_WARM_S, _SETTLE_S, _COUNTED_S = 1.5, 0.6, 1.0
_ANSWER_MAX_S = 10.0


class SlowClient:
    """Fast callers alone, beside slow senders, and beside slow readers."""

    name: str = "slow_client"
    title: str = "Slow clients among fast ones"
    about: str = (
        f"{RATE:,.0f} echoes a second, alone, beside "
        f"{COUNTS['senders'][0]} clients that send a request byte by byte, ten a second, and beside "
        f"{COUNTS['readers'][0]} that read an answer of {LARGE_BYTES // 1024} KB a kilobyte every 50 ms. The number is "
        "the p99 of the fast ones, beside the worse of the two; who gets no right answer within a second counts with a "
        "second."
    )
    value: str = "p99_ms"
    unit: str = "ms"
    better: Literal["more", "less"] = "less"
    plot: Plot | None = None
    quick: bool = False
    take_s: float = 10.0

    def __init__(
        self,
        contestants: Sequence[str],
        *,
        line: Line = LINES["echo"],
        settle_s: float = _SETTLE_S,
        counted_s: float = _COUNTED_S,
        rate: float = RATE,
        warm_s: float = _WARM_S,
    ) -> None:
        self.contestants = contestants
        self._line = line
        self._settle_s, self._counted_s = settle_s, counted_s
        self._rate, self._warm_s = rate, warm_s

    def take(self, name: str, stage: Stage) -> Taken:
        """Ask it three times, in a process of its own: slow clients may leave something behind."""
        heard: dict[str, Heard] = {}
        notes: dict[str, None] = {}
        with stage.fresh(name) as server, generator() as generating:
            asking = Asking(self._line, server, stage, generating)
            _must_echo_large(server.port)
            # Compilers that work at run time have seen nothing before.
            asking.capacity((self._warm_s,))
            order = asking.order([Load(self._rate, self._settle_s), Load(self._rate, self._counted_s)])
            ran = asking.run(order)
            heard["before"] = ran.arrived.loads[-1]
            notes |= dict.fromkeys(ran.notes(heard["before"]))
            for slow in COUNTS:
                with dawdlers(slow, server.port) as dawdling:
                    asking.beside = [dawdling.pid]
                    ran = asking.run(order)
                    asking.beside = []
                heard[slow] = ran.arrived.loads[-1]
                notes |= dict.fromkeys(ran.notes(heard[slow]))
                if dawdling.told.cut:
                    notes[f"cuts slow {slow} off"] = None
            asking.check_again()
        return Taken(values=_values(heard), notes=list(notes))


def slow_clients(contestants: Sequence[str]) -> list[SlowClient]:
    """Return the one."""
    return [SlowClient(contestants)]


class Dawdling:
    """A running process of :mod:`bench.evaluation.measures.dawdling`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        #: What came of them, when it is over.
        self.told = Dawdled(cut=0, taken_bytes=0)


@contextlib.contextmanager
def dawdlers(slow: Slow, port: int) -> Iterator[Dawdling]:
    """Have slow clients until the block ends."""
    with beside("bench.evaluation.measures.dawdling", slow, str(port)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != CONNECTED:
            raise SystemExit(f"slow {slow} could not begin; their last words are above")
        dawdling = Dawdling(process.pid)
        yield dawdling
        process.stdin.close()
        process.wait(STOP_MAX_S)
        dawdling.told = msgspec.json.decode(process.stdout.read(), type=Dawdled)


def _must_echo_large(port: int) -> None:
    """Throw out who does not: nobody could read an answer slowly that is not there."""
    head, _, body = large().partition(b"\r\n\r\n")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_MAX_S)
    try:
        connection.request("POST", head.split(b" ")[1].decode(), body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        # Some send as much as this in chunks.
        right = answer.status == 200 and msgspec.json.decode(answer.read()) == msgspec.json.decode(body)
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        raise WrongAnswer(f"no echo of {LARGE_BYTES // 1024} KB: {error!r}") from error
    finally:
        connection.close()
    if not right:
        raise WrongAnswer(f"not the echo of {LARGE_BYTES // 1024} KB: status {answer.status}")


def _values(heard: dict[str, Heard]) -> dict[str, float]:
    before, senders, readers = heard["before"], heard["senders"], heard["readers"]
    worse = max((senders, readers), key=lambda each: each.p99_ms)
    return {
        "p99_ms": worse.p99_ms,
        "before_p99_ms": before.p99_ms,
        "senders_p99_ms": senders.p99_ms,
        "readers_p99_ms": readers.p99_ms,
        "times": worse.p99_ms / before.p99_ms,
        "done_share": min(senders.done_share, readers.done_share),
    }
