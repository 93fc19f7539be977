"""``python -m bench.wrk``: how many signed messages of each channel the gateway takes a second, wrk in a closed loop.

A message is taken when it is committed and acknowledged; its turn follows, over HTTP to an assistant and, where the
platform is called, out to a stand-in, on the same core.  Afterwards the ledger must hold each message that was taken.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import psycopg2

from bench.chat.contestants import Running
from bench.chat.standings import OTHERS_FULL, OWN_FULL
from bench.generator import Expected, Shot, fire
from bench.locust.outside import outside
from bench.locust.stack import ACCOUNT, certificates, deployment
from bench.locust.watch import SHARE_MAX
from bench.needs import missing
from bench.report import Report, median, spread
from bench.stack import OTHERS_CPU, busy_s, pin_to_others
from bench.wrk.deliveries import ACKNOWLEDGED, Deliveries

CONNECTIONS = 64
SECONDS, ROUNDS = 4.0, 5
QUICK_SECONDS, QUICK_ROUNDS = 2.0, 1
#: To get warm, and to know how many messages the next run may need.
_FIRST_SECONDS, _FIRST_MESSAGES = 1.0, 6_000
_ROOM, _RATE_MIN = 3.0, 2_000.0
_SETTLED_S_MAX = 60.0
_LOOK_S = 0.1
_HELD = """
SELECT count(*), count(*) FILTER (WHERE t.state = 'answered')
FROM turns t JOIN conversations c ON c.id = t.conversation_id WHERE c.channel = %s AND c.account = %s
"""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    shot: Shot
    #: Turns that the ledger has got by it, and of those the answered ones when no more were to come.
    held: int
    answered: int
    gateway_us: float
    #: Shares of a core that gateway and worker used, and all who are on the other one, wrk among them.
    own_share: float = 0.0
    others_share: float = 0.0

    @property
    def faults(self) -> str:
        """Return what is wrong, or an empty text."""
        # What wrk had under way when it was stopped may be held, and was not counted; so many could hide as many that
        # are missing.  Of the answered ones none can.
        missing_n = max(0, self.shot.requests - self.held)
        unanswered = self.held - self.answered
        found = (self.shot.wrong, _some(missing_n, "not in the ledger"), _some(unanswered, "not answered"))
        return ", ".join(each for each in found if each)

    @property
    def limit(self) -> str:
        """Return what else than the gateway was the limit, or an empty text."""
        if self.shot.wanted_share >= SHARE_MAX:
            return "limited by the generator"
        if self.others_share >= OTHERS_FULL and self.own_share < OWN_FULL:
            return "limited by what shares a core with the generator: PostgreSQL, Redis, assistant and stand-in"
        return ""


class Ledger:
    """The ledger, past all code of ours."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True

    def held(self, channel: str) -> tuple[int, int]:
        """Return how many turns there are, and how many of them are answered."""
        with self._connection.cursor() as cursor:
            cursor.execute(_HELD, (channel, ACCOUNT))
            row = cursor.fetchone()
        assert row is not None
        return row[0], row[1]

    def settled(self, channel: str) -> tuple[int, int]:
        """Return the same as soon as all are answered, or nothing moves any more."""
        until = time.monotonic() + _SETTLED_S_MAX
        while (found := self.held(channel))[0] != found[1] and time.monotonic() < until:
            time.sleep(_LOOK_S)
        return found

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.wrk", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 60 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write goals and raw samples")
    parser.add_argument("--only", default="", metavar="NAME,...", help=", ".join(ACKNOWLEDGED))
    options = parser.parse_args()
    channels = options.only.split(",") if options.only else list(ACKNOWLEDGED)
    if strangers := [name for name in channels if name not in ACKNOWLEDGED]:
        parser.error(f"expected --only to name some of {', '.join(ACKNOWLEDGED)}, got {', '.join(strangers)}")
    if lack := missing(("wrk", "uvloop")):
        raise SystemExit(lack)
    report = Report("bench.wrk", quick=options.quick)
    rounds, seconds = (QUICK_ROUNDS, QUICK_SECONDS) if options.quick else (ROUNDS, SECONDS)
    taken: dict[str, list[Taken]] = {channel: [] for channel in channels}
    pin_to_others()
    # Another one is first in each round.
    order = [channels[(at + turn) % len(channels)] for turn in range(rounds) for at in range(len(channels))]
    with stage() as (running, deliveries, ledger), click.progressbar(order, label="wrk") as progress:
        for channel in progress:
            taken[channel].append(take(running, deliveries, ledger, channel, seconds=seconds))
    _conclude(report, taken)
    report.print()
    report.write(options.json)


@contextlib.contextmanager
def stage() -> Iterator[tuple[Running, Deliveries, Ledger]]:
    """Run a deployment, and what it meets."""
    with tempfile.TemporaryDirectory(prefix="bench-wrk-") as name:
        folder = certificates(home := Path(name))
        with (
            outside(folder) as around,
            deployment(home, assistant=around.assistant, stand_in=around.stand_in) as running,
            contextlib.closing(Ledger(running.database_url)) as ledger,
        ):
            yield running, Deliveries(folder), ledger


def take(running: Running, deliveries: Deliveries, ledger: Ledger, channel: str, *, seconds: float) -> Taken:
    """Fire at a channel, first to get warm."""
    first = _fire(running, channel, deliveries.write(channel, _FIRST_MESSAGES), _FIRST_SECONDS)
    before, _ = ledger.settled(channel)
    count = int(max(first.rate * _ROOM, _RATE_MIN) * seconds) + CONNECTIONS
    file = deliveries.write(channel, count)
    began, others_s, before_s = time.perf_counter(), busy_s(OTHERS_CPU), running.cpu_s()
    shot = _fire(running, channel, file, seconds)
    own_s = [now - then for now, then in zip(running.cpu_s(), before_s, strict=True)]
    others_s, took_s = busy_s(OTHERS_CPU) - others_s, time.perf_counter() - began
    held, answered = ledger.settled(channel)
    return Taken(
        shot=shot,
        held=held - before,
        answered=answered - before,
        gateway_us=1e6 * own_s[0] / max(1, shot.requests),
        own_share=sum(own_s) / took_s,
        others_share=others_s / took_s,
    )


def _fire(running: Running, channel: str, file: Path, seconds: float) -> Shot:
    url = f"http://127.0.0.1:{running.port}/"
    expected = Expected(ACKNOWLEDGED[channel], 0)
    return fire(
        url, f"{channel}.lua", expected, connections=CONNECTIONS, seconds=seconds, cpu=OTHERS_CPU, more=(str(file),)
    )


def _conclude(report: Report, taken: dict[str, list[Taken]]) -> None:
    for channel, runs in taken.items():
        faults = [run.faults for run in runs if run.faults]
        report.goal(f"{channel}: runs with a wrong answer or a message missing", 0, len(faults), "runs", "most")
        if faults:
            report.note(f"{channel}: {faults[0]}; its speed does not count")
            continue
        rates = [run.shot.rate for run in runs]
        report.note(
            f"{channel}: {median(rates):,.0f} messages taken a second ({spread(rates)}), "
            f"p99 {median([run.shot.p99_us for run in runs]) / 1e3:.0f} ms, "
            f"{median([run.gateway_us for run in runs]):.0f} µs of the gateway's a message, turns of that time "
            f"included; gateway and worker {median([run.own_share for run in runs]):.0%} of their core, "
            f"the other one {median([run.others_share for run in runs]):.0%}"
        )
        if limits := [run.limit for run in runs if run.limit]:
            report.note(f"{channel}: {limits[0]}, {len(limits)} of {len(runs)} runs")
    report.add("taken", taken)


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}" if count else ""


if __name__ == "__main__":
    main()
