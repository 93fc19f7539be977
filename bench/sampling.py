"""One measured run of a line: checked, warmed up, measured by wrk and by processor times, and checked again."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from bench.answers import QUESTIONS, WrongAnswer
from bench.contestants import Running
from bench.generator import Expected, fire
from bench.keys import Keys
from bench.lines import Line
from bench.stack import OTHERS_CPU, busy_s, cpu_s
from bench.standings import Sample

__all__ = ["Pace", "sampled", "settled", "shot"]

#: Whoever needed this much more processor time a request in the run before was not warm then.
_COLD = 1.2


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long a contestant is looked at."""

    warm_s: float
    measured_s: float
    #: How often the run that counts may be made again, as long as the contestant is still getting warm: compilers that
    #: work at run time take their time.
    again_max: int = 0
    #: Asked before and after.
    questions: int = QUESTIONS


def sampled(line: Line, server: Running, keys: Keys, postgres_pid: int, pace: Pace) -> Sample:
    """Return what was measured; :exc:`WrongAnswer` if anything was answered wrongly."""
    expected = line.check(server.port, keys, questions=pace.questions)
    sample = settled(lambda seconds: shot(line, server, postgres_pid, expected, seconds), pace)
    if line.check(server.port, keys, questions=pace.questions) != expected:
        raise WrongAnswer("its answers look different after a run")
    return sample


def settled(take: Callable[[float], Sample], pace: Pace) -> Sample:
    """Return the first run of those that count which was not much cheaper than the one before it, or the last."""
    before, sample = take(pace.warm_s), take(pace.measured_s)
    for _ in range(pace.again_max):
        if sample.server_us * _COLD >= before.server_us:
            break
        before, sample = sample, take(pace.measured_s)
    return sample


def shot(line: Line, server: Running, postgres_pid: int, expected: Expected, seconds: float) -> Sample:
    """Ask for *seconds*, and return what was measured, of a contestant that may be warm or not."""
    url = f"http://127.0.0.1:{server.port}{line.path}"
    all_s, server_s, postgres_s = busy_s(), server.cpu_s(), cpu_s(postgres_pid)
    fired = fire(
        url, line.script, expected, connections=line.connections, seconds=seconds * line.longer, cpu=OTHERS_CPU
    )
    server_s, postgres_s = server.cpu_s() - server_s, cpu_s(postgres_pid) - postgres_s
    strangers_s = busy_s() - all_s - server_s - postgres_s - fired.busy_s
    if fired.wrong:
        raise WrongAnswer(fired.wrong)
    took_s = fired.took_us / 1e6
    return Sample(
        rate=fired.rate,
        p50_ms=fired.p50_us / 1e3,
        p99_ms=fired.p99_us / 1e3,
        server_us=1e6 * server_s / fired.requests,
        server_share=server_s / took_s,
        generator_share=fired.busy_s / took_s,
        postgres_share=postgres_s / took_s,
        wanted_share=fired.wanted_share,
        strangers_share=max(0.0, strangers_s / took_s),
    )
