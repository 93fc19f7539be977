"""``python -m bench.turn``: whole durable turns, and the ledger by itself.

A turn here is: a visitor's message over HTTP, verified and parsed, committed; the assistant asked over HTTP in another
process, signed; its reply checked, committed; the answer in the response.  PostgreSQL commits with fsync.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import click

from bench.ledger import batched, one_by_one
from bench.load import closed_loop, fixed_rate
from bench.report import Report, median, percentile, spread
from bench.stack import SECRET, Stack, gateway_stack
from gateway.channels.webchat.cookie import issue
from gateway.settings.accounts import WebchatAccount
from gateway.settings.secret import Secret

PORT = 18_471
#: Visitors, each with a conversation and a connection of their own.
VISITORS = 128
TURNS_GOAL = 2_500
ADDED_P99_GOAL_MS = 30.0


def visitors(count: int) -> list[Iterator[bytes]]:
    """Return an endless supply of signed requests for each of *count* visitors."""
    account = WebchatAccount(
        channel="webchat", name="bench", assistant="scripted", cookie_secrets=(Secret(SECRET),)
    )
    return [_requests(account, f"visitor-{number:016d}-bench") for number in range(count)]


def _requests(account: WebchatAccount, visitor: str) -> Iterator[bytes]:
    cookie = issue(visitor, account, time.time()).split(";", 1)[0]
    head = (
        "POST /hooks/webchat/bench HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Cookie: {cookie}\r\nPrefer: wait=10\r\nContent-Length: %d\r\n\r\n"
    )
    run = time.time_ns()
    for number in itertools.count():
        body = f'{{"id":"{run:x}-{number:08d}","text":"something with gin and lemon, please"}}'
        yield (head % len(body) + body).encode()


def check(status: bytes, body: bytes) -> str:
    """Return what is wrong with an answer, or an empty text."""
    if b" 200 " not in status:
        return f"status {status.decode()}"
    return "" if b'"All right."' in body else "not the assistant's answer"


def saturated(stack: Stack, report: Report, *, rounds: int, seconds: float) -> None:
    """Measure turns a second in a closed loop, and what each costs whom."""
    rates, gateway_us, postgres_us, p99_ms = [], [], [], []
    with click.progressbar(range(rounds), label="saturated") as progress:
        for _ in progress:
            gateway, postgres = stack.gateway_cpu_s(), stack.postgres_cpu_s()
            began = time.perf_counter()
            answered = closed_loop("127.0.0.1", stack.port, visitors(VISITORS), check, seconds=seconds)
            took = time.perf_counter() - began
            rates.append(len(answered) / took)
            gateway_us.append(1e6 * (stack.gateway_cpu_s() - gateway) / len(answered))
            postgres_us.append(1e6 * (stack.postgres_cpu_s() - postgres) / len(answered))
            p99_ms.append(1e3 * percentile([latency for _, latency in answered], 0.99))
    report.add(
        "saturated",
        {"turns_s": rates, "gateway_us": gateway_us, "postgres_us": postgres_us, "p99_ms": p99_ms},
    )
    report.goal("turns a second, one gateway core", TURNS_GOAL, median(rates), "turns/s")
    report.note(f"turns/s over {rounds} rounds: {spread(rates)}; closed loop of {VISITORS}")
    report.note(
        f"processor time a turn: gateway {median(gateway_us):.0f} µs, PostgreSQL {median(postgres_us):.0f} µs"
    )


def paced(stack: Stack, report: Report, *, rounds: int, seconds: float) -> None:
    """Measure latency at half the goal, from the intended start."""
    p50_ms, p99_ms = [], []
    with click.progressbar(range(rounds), label="paced    ") as progress:
        for _ in progress:
            answered = fixed_rate(
                "127.0.0.1", stack.port, visitors(VISITORS), check, seconds=seconds, rate=TURNS_GOAL / 2
            )
            latencies = [latency for _, latency in answered]
            p50_ms.append(1e3 * percentile(latencies, 0.5))
            p99_ms.append(1e3 * percentile(latencies, 0.99))
    report.add("paced", {"rate": TURNS_GOAL / 2, "p50_ms": p50_ms, "p99_ms": p99_ms})
    report.goal(
        f"p99 of a whole turn at {TURNS_GOAL // 2:,}/s", ADDED_P99_GOAL_MS, median(p99_ms), "ms", "most"
    )
    report.note(
        f"at {TURNS_GOAL // 2:,}/s: p50 {median(p50_ms):.1f} ms, p99 {spread(p99_ms)} ms; "
        "all of it counts as added, since the assistant answers at once"
    )


def ledger(report: Report, *, rounds: int, seconds: float) -> None:
    """Measure accept and settle by themselves, batched and one statement at a time."""
    runs, singles = [], []
    with click.progressbar(range(rounds), label="ledger   ") as progress:
        for _ in progress:
            runs.append(batched(seconds))
            singles.append(one_by_one(seconds))
    report.add(
        "ledger",
        {
            "turns_s": [run.turns_s for run in runs],
            "python_us": [run.python_us for run in runs],
            "postgres_us": [run.postgres_us for run in runs],
            "one_by_one_turns_s": [run.turns_s for run in singles],
        },
    )
    ratios = [run.turns_s / single.turns_s for run, single in zip(runs, singles, strict=True)]
    report.goal("ledger: Python a turn", 60, median([run.python_us for run in runs]), "µs", "most")
    report.goal("ledger: PostgreSQL a turn", 100, median([run.postgres_us for run in runs]), "µs", "most")
    report.goal("ledger: batched to one at a time", 5, median(ratios), "x")
    report.note(
        f"ledger alone: {median([run.turns_s for run in runs]):,.0f} turns/s batched, "
        f"{median([single.turns_s for single in singles]):,.0f} one at a time; ratio {spread(ratios)}"
    )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.turn", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 60 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write goals and raw samples")
    options = parser.parse_args()
    report = Report("bench.turn", quick=options.quick)
    rounds, seconds = (2, 4.0) if options.quick else (5, 8.0)
    with gateway_stack(PORT) as stack:
        closed_loop("127.0.0.1", PORT, visitors(VISITORS), check, seconds=2.0)
        saturated(stack, report, rounds=rounds, seconds=seconds)
        paced(stack, report, rounds=rounds, seconds=seconds)
    ledger(report, rounds=rounds, seconds=seconds / 2)
    report.print()
    report.write(options.json)


if __name__ == "__main__":
    main()
