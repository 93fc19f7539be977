"""Handlers of the benchmark's own jobs; a worker loads them by ``worker.handlers``.

bench.effect   counts itself, as every contestant's job does
bench.started  says when it was started, to the microsecond
bench.step     says when it begins and when it ends, who ran it, and whether it may be a repeat: for the kill campaign
"""

from __future__ import annotations

import os
import time

import gevent
import msgspec

from bench.queue.records import STARTED, STEP, Step
from gateway.domain.job import Done, JobOutcome
from workers.context import Context
from workers.registry import job_handler

__all__ = ["Numbered", "Pause", "effect", "started", "step"]


class Numbered(msgspec.Struct, frozen=True):
    """A job that is known by its number; the text is there to be carried."""

    number: int
    text: str = ""


class Pause(msgspec.Struct, frozen=True):
    """Job *number* of *lane*, which takes *pause_s*."""

    lane: int
    number: int
    pause_s: float


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
    _say(Step(payload.lane, payload.number, os.getpid(), job.job.deaths, ends=False, at=time.monotonic()))
    gevent.sleep(payload.pause_s)
    _say(Step(payload.lane, payload.number, os.getpid(), job.job.deaths, ends=True, at=time.monotonic()))
    return Done()


def _say(step: Step) -> None:
    os.write(_effects, STEP.pack(step.lane, step.number, step.pid, step.deaths, step.ends, step.at))
