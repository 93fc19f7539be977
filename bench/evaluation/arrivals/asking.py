"""One kind of request, asked of one contestant at given rates: checked before and after, the machine watched.

A wrong answer throws the contestant out here as everywhere.  Being late, refusing and breaking off do not: at rates
above what somebody can do they are what is measured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec

from bench.answers import WrongAnswer
from bench.contestants import Running
from bench.evaluation.arrivals.generator import Generator, limit
from bench.evaluation.arrivals.orders import Arrived, Heard, Kind, Load, Order
from bench.evaluation.measure import DISTURBED, Stage
from bench.generator import fire
from bench.lines import Line
from bench.stack import OTHERS_CPU, busy_s, cpu_s
from bench.standings import STRANGERS_MAX

__all__ = ["CAPACITY_S", "Asking", "Ran"]

KINDS: Mapping[str, Kind] = {"echo": "echo", "kvs_get": "get", "kvs_put": "put"}
#: Seconds to get warm and seconds that count, of the closed loop that says what a contestant can do.
CAPACITY_S = (0.4, 0.8)


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A run, and what each used of a core meanwhile, from 0 to 1."""

    arrived: Arrived
    server_share: float
    postgres_share: float
    #: Everybody else on the machine, of the two cores.
    strangers_share: float

    def notes(self, heard: Heard) -> list[str]:
        """Return what a reader of a load's numbers must know."""
        limited = limit(heard, server_share=self.server_share, postgres_share=self.postgres_share)
        disturbed = DISTURBED if self.strangers_share > STRANGERS_MAX else ""
        return [note for note in (limited, disturbed) if note]


class Asking:
    """The requests of a line, to a contestant."""

    def __init__(self, line: Line, server: Running, stage: Stage, generator: Generator) -> None:
        self._line = line
        self._server = server
        self._stage = stage
        self._generator = generator
        self._expected = line.check(server.port, stage.keys)
        #: Processes that are part of what is measured, besides contestant, generator and PostgreSQL: no strangers.
        self.beside: Sequence[int] = ()

    def capacity(self, seconds: Sequence[float] = CAPACITY_S) -> float:
        """Return how many answers a second it gives in a closed loop."""
        url = f"http://127.0.0.1:{self._server.port}{self._line.path}"
        for each_s in seconds:
            shot = fire(
                url,
                self._line.script,
                self._expected,
                connections=self._line.connections,
                seconds=each_s,
                cpu=OTHERS_CPU,
            )
            if shot.wrong:
                raise WrongAnswer(shot.wrong)
        return shot.rate

    def order(self, loads: Sequence[Load], **options: float) -> Order:
        """Return what the generator is told."""
        order = Order(
            port=self._server.port,
            kind=KINDS[self._line.name],
            status=self._expected.status,
            length=self._expected.length,
            loads=loads,
        )
        return msgspec.structs.replace(order, **options)

    def run(self, order: Order, *, during: int | None = None) -> Ran:
        """Have it asked, and look at what everybody uses meanwhile: in all of the run, or *during* one of its loads.

        To look takes some milliseconds of the generator's core.  Where what is looked at begins in the midst of a run,
        they are in the latencies of its beginning.
        """
        began_at = self._generator.begin(order)
        if during is not None:
            ends_at = began_at + sum(load.seconds for load in order.loads[: during + 1])
            before = self._used_at(ends_at - order.loads[during].seconds)
            after = self._used_at(ends_at)
            arrived = self._generator.finish()
        else:
            before = self._used()
            arrived = self._generator.finish()
            after = self._used()
        took_s = after.at - before.at
        server_s, postgres_s = after.server_s - before.server_s, after.postgres_s - before.postgres_s
        others_s = after.generator_s - before.generator_s + after.beside_s - before.beside_s
        wrong = sum(load.wrong for load in arrived.loads)
        if wrong:
            raise WrongAnswer(f"{wrong:,} wrong statuses or lengths")
        strangers_s = after.all_s - before.all_s - server_s - postgres_s - others_s
        return Ran(
            arrived=arrived,
            server_share=server_s / took_s,
            postgres_share=postgres_s / took_s,
            strangers_share=max(0.0, strangers_s / took_s),
        )

    def check_again(self) -> None:
        """Look at whole answers once more."""
        if self._line.check(self._server.port, self._stage.keys) != self._expected:
            raise WrongAnswer("its answers look different after a run")

    def _used_at(self, instant: float) -> _Used:
        time.sleep(max(0.0, instant - time.monotonic()))
        return self._used()

    def _used(self) -> _Used:
        return _Used(
            at=time.monotonic(),
            all_s=busy_s(),
            server_s=self._server.cpu_s(),
            postgres_s=cpu_s(self._stage.postgres_pid),
            generator_s=self._generator.cpu_s(),
            beside_s=sum(map(cpu_s, self.beside)),
        )


class _Used(msgspec.Struct, frozen=True, kw_only=True):
    """Processor seconds so far."""

    at: float
    all_s: float
    server_s: float
    postgres_s: float
    generator_s: float
    beside_s: float
