"""Faults: kill -9, SIGSTOP and SIGCONT anywhere, and an order to drain. At least one process stays up."""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol.model import (
    Event,
    Process,
    Run,
    State,
    Step,
    with_process,
)

__all__ = ["steps"]


def steps(state: State, index: int, process: Process) -> Iterator[Step]:
    """What may befall one process."""
    if process.run == Run.PAUSED:
        yield Event("cont", index), with_process(state, index, process._replace(run=Run.UP))
    if not process.up:
        return
    faults = state.faults
    if not any(p.up and not p.draining for i, p in enumerate(state.processes) if i != index):
        return
    if faults.crashes:
        crashed = with_process(state, index, Process(run=Run.CRASHED))
        yield Event("crash", index), crashed._replace(faults=faults._replace(crashes=faults.crashes - 1))
    if faults.pauses:
        paused = with_process(state, index, process._replace(run=Run.PAUSED))
        yield Event("pause", index), paused._replace(faults=faults._replace(pauses=faults.pauses - 1))
    if faults.drains and not process.draining:
        draining = with_process(state, index, process._replace(draining=True))
        yield Event("drain", index), draining._replace(faults=faults._replace(drains=faults.drains - 1))
