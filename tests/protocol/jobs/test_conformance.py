"""The model is a model of this ledger: runs drawn by lot end the same in PostgreSQL, step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from tests.protocol.jobs.model import World
from tests.protocol.jobs.replay import IN_MEMORY, Replay, schedule
from tests.protocol.jobs.rules import Rules
from tests.protocol.jobs.scenarios import SCENARIOS
from tests.protocol.jobs.trace import SENTENCES, told

_STEPS_MAX: Final = 70
_RUNS: Final = 6
#: A transaction has its number and its places by one call.
_WORLDS: Final = {name: bounds for name, bounds in SCENARIOS.items() if not bounds.numbers_apart}


@pytest.mark.parametrize("scenario", _WORLDS)
def test_the_ledger_does_what_the_model_does(scenario: str, database: str) -> None:
    """Law: what is read, refused, written and freed is the same after every step, whoever died or was late."""
    replayed(scenario, database, range(_RUNS))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", _WORLDS)
def test_the_ledger_does_what_the_model_does_in_many_runs(scenario: str, database: str) -> None:
    replayed(scenario, database, range(_RUNS, 100))


def test_the_runs_hold_every_kind_of_step() -> None:
    """What is never drawn is never compared."""
    world_of = {name: World(bounds, Rules()) for name, bounds in _WORLDS.items()}
    taken = {
        event.kind
        for world in world_of.values()
        for seed in range(_RUNS)
        for event, _ in schedule(world, seed, _STEPS_MAX)
    }

    assert SENTENCES.keys() - IN_MEMORY - taken == {"ask.place", "look.mark"}


def replayed(scenario: str, database: str, seeds: range) -> None:
    world = World(_WORLDS[scenario], replace(Rules(), suspect_is_marked=False))
    for seed in seeds:
        run = schedule(world, seed, _STEPS_MAX)
        replay = Replay(database, world)
        start = replay.state
        try:
            for number, (event, state) in enumerate(run, 1):
                try:
                    replay.step(event, state)
                except AssertionError as error:
                    error.add_note(f"seed {seed}, at the last step of\n{told(start, tuple(run[:number]))}")
                    raise
        finally:
            replay.close()
