"""Handlers of the benchmark's own jobs; a worker loads them by ``worker.handlers``.

bench.effect   counts itself, as every contestant's job does
bench.started  says when it was started, to the microsecond
bench.step     says when it begins and when it ends, who ran it, and whether it may be a repeat: for the kill campaign
"""

from __future__ import annotations

import os
import time

import gevent

from bench.queue.records import STARTED, STEP, Numbered, Pause
from gateway.domain.job import Done, JobOutcome
from workers.context import Context
from workers.registry import job_handler

__all__ = ["effect", "started", "step"]


_effects = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND)


@job_handler("bench.effect", Numbered)
def effect(_: Context, payload: Numbered) -> JobOutcome:
    """Count itself."""
    os.write(_effects, payload.number.to_bytes(4, "little"))
    return Done()


@job_handler("bench.started", Numbered)
def started(_: Context, payload: Numbered) -> JobOutcome:
    """Say when it was started."""
    os.write(_effects, STARTED.pack(payload.number, os.getpid(), time.monotonic()))
    return Done()


@job_handler("bench.step", Pause)
def step(job: Context, payload: Pause) -> JobOutcome:
    """Say when it begins and when it ends."""
    _say(job, payload, ends=False)
    gevent.sleep(payload.pause_s)
    _say(job, payload, ends=True)
    return Done()


def _say(job: Context, payload: Pause, *, ends: bool) -> None:
    said = payload.lane, payload.number, os.getpid(), job.job.deaths, payload.asked, ends, time.monotonic()
    os.write(_effects, STEP.pack(*said))
