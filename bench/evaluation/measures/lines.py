"""The lines of 2018, as wrk sees them: as many answers as there can be, each asked for when the last has come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from bench.answers import WrongAnswer
from bench.contestants import Running
from bench.evaluation.measure import DISTURBED, Plot, Stage, Taken
from bench.generator import TIMEOUT_S
from bench.lines import LINES, Line
from bench.load import each_once
from bench.sampling import Pace, sampled
from bench.standings import STRANGERS_MAX, Sample

__all__ = ["Closed", "closed_lines"]

#: Of a whole run and of a quick one, which asks fewer questions: still more than anybody has answers ready for.
WHOLE = Pace(warm_s=0.5, measured_s=1.0, again_max=3)
QUICK = Pace(warm_s=0.1, measured_s=0.3, again_max=4, questions=100)
#: Of those who wait, whose run before is mostly opening and always dearer: never again, but longer.
QUICK_MANY = msgspec.structs.replace(QUICK, measured_s=0.35, again_max=0)
#: Of 1,000 connections at once, for so long that their opening is less than a hundredth of all requests, and in no p99.
#: Not again: the second that warms up is mostly opening, and dearer a request than any other.
MANY = Pace(warm_s=0.5, measured_s=3.0)
_CHECKS_S = 0.5
#: Callers at once in the first look at those who make them wait, and how often at most it is looked: who waits for one
#: after the other does so each time, and who was only held up once does not.
_LOOK, _LOOKS_MAX = 32, 3
_WAIT = b"GET /bench/rpc HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

_ABOUT = {
    "echo": "POST 238 bytes of JSON, decoded and encoded again, over 64 connections.",
    "rpc1000": (
        "GET, answered after the server has waited 50 ms, over 1,000 connections: at most 20,000 a second, counted "
        "from when as many were answered."
    ),
    "rpc4000": (
        "GET, answered after the server has waited 50 ms, over 4,000 connections: at most 80,000 a second, counted "
        "from when as many were answered. Latency has the opening in it, because all are opened at once."
    ),
    "kvs_get": (
        "GET one of 10,000 keys at random, each read from PostgreSQL, over 64 connections. Ours reads by one statement "
        "for all who ask at the same moment, the others by one for each; bench.server has a Fastify that does as ours."
    ),
    "kvs_put": (
        "PUT one of 10,000 keys at random, each on disk before its answer, over 64 connections. Ours writes by one "
        "statement and one commit for all who ask at the same moment, the others by one for each."
    ),
}
#: 4,000 waits at once are nothing for a short look: some need a second for the first answers to all.
_LONGER = 2.0


class Closed:
    """One line."""

    value: str = "rate"
    unit: str = "requests/s"
    better: Literal["more", "less"] = "more"
    plot: Plot | None = None

    def __init__(
        self,
        line: Line,
        contestants: Sequence[str],
        *,
        whole: Pace = WHOLE,
        quick: bool = True,
    ) -> None:
        self.name = line.name
        self.title = line.title
        self.about = _ABOUT[line.name]
        self.contestants = contestants
        self.quick = quick
        self.take_s = (whole.warm_s + whole.measured_s) * line.longer + _CHECKS_S
        self._line = line
        self._whole = whole

    def take(self, name: str, stage: Stage) -> Taken:
        """Check, warm up, measure and check again."""
        server = stage.shared(name)
        quick = QUICK
        if self._line.path == "/bench/rpc":
            quick = QUICK_MANY
            _must_wait_side_by_side(server, self._line.connections)
        sample = sampled(self._line, server, stage.keys, stage.postgres_pid, quick if stage.quick else self._whole)
        return Taken(values=msgspec.structs.asdict(sample), notes=notes(sample))


def notes(sample: Sample) -> list[str]:
    """Return what a reader of a sample must know."""
    disturbed = DISTURBED if sample.strangers_share > STRANGERS_MAX else ""
    return [note for note in (sample.limit, disturbed) if note]


def _must_wait_side_by_side(server: Running, connections: int) -> None:
    """Throw out who would need longer than wrk's patience for one wait of all, before minutes are spent on it."""
    found_s: list[float] = []
    while len(found_s) < _LOOKS_MAX:
        found_s.append(_each_s(server))
        if found_s[-1] * connections <= TIMEOUT_S:
            return
    each_s = min(found_s)
    raise WrongAnswer(
        f"answers only {1 / each_s:,.0f} waits of 50 ms a second: {connections:,} callers at once would wait for "
        f"{each_s * connections:,.0f} s, and {TIMEOUT_S} s is the limit"
    )


def _each_s(server: Running) -> float:
    """Return the seconds from one answer to the next where all have begun to wait at once."""
    try:
        answers = each_once("127.0.0.1", server.port, [_WAIT] * _LOOK, callers_n=_LOOK)
    except (OSError, ValueError) as error:
        raise WrongAnswer(f"no answer: {error!r}") from error
    took_s = [answer.took_s for answer in answers]
    return (max(took_s) - min(took_s)) / (_LOOK - 1)


def closed_lines(contestants: Sequence[str]) -> list[Closed]:
    """Return all of them."""
    longer = msgspec.structs.replace(LINES["rpc4000"], longer=_LONGER)
    return [
        Closed(LINES["echo"], contestants),
        Closed(LINES["rpc1000"], contestants, whole=MANY),
        Closed(longer, contestants, quick=False),
        Closed(LINES["kvs_get"], contestants),
        Closed(LINES["kvs_put"], contestants),
    ]
