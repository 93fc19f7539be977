"""The model is a model of this ledger: runs drawn by lot end the same in PostgreSQL, step by step."""

from __future__ import annotations

from typing import Final

import pytest

from gateway.domain.job import SUSPECTS_FROM
from tests.protocol.jobs.explorer import explore
from tests.protocol.jobs.model import Bounds, Step, World
from tests.protocol.jobs.replay import IN_MEMORY, Replay, schedule
from tests.protocol.jobs.rules import Rules, without
from tests.protocol.jobs.scenarios import SCENARIOS
from tests.protocol.jobs.test_jobs_explorer import BREACHES
from tests.protocol.jobs.trace import SENTENCES, told


def _as_built(bounds: Bounds) -> Bounds:
    """Return the world in which as many deaths make a suspect as in the ledger."""
    more = SUSPECTS_FROM - bounds.suspects_from
    return bounds._replace(
        suspects_from=SUSPECTS_FROM,
        deaths_max=bounds.deaths_max + more,
        deaths_before=more * bool(bounds.crashes),
    )


_STEPS_MAX: Final = 70
_RUNS: Final = 6
#: Rules that the ledger's functions keep; all others are a worker's.
LEDGER_RULES: Final = (
    "look_is_claimed", "settle_checks_fence", "settle_names_place", "snooze_takes_new_place", "new_owner_new_fence",
    "death_frees_partition", "death_is_counted", "death_counts_heads",
    "death_counts_no_lane_asleep", "death_counts_own_partition", "suspect_is_marked", "mark_ends_with_settle",
)  # fmt: skip
#: A transaction has its number and its places by one call.
_WORLDS: Final = {name: _as_built(bounds) for name, bounds in SCENARIOS.items() if not bounds.numbers_apart}


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


@pytest.mark.parametrize("rule", LEDGER_RULES)
def test_the_ledger_keeps_every_rule_that_is_its_own(rule: str, database: str) -> None:
    """Law: where the model without a rule goes wrong, the ledger does something else."""
    world = World(_WORLDS[BREACHES[rule].scenario], without(rule))
    found = explore(*world).violation
    assert found is not None, f"the explorer's own tests say what breaks without {rule}"
    wrong = list(found.run)
    # A run that ends where nothing good can come any more has not gone wrong yet.
    runs = [wrong + schedule(world, seed, _STEPS_MAX, wrong[-1][1]) for seed in range(_RUNS)]

    assert any(differs(database, world, run) for run in runs)


def replayed(scenario: str, database: str, seeds: range) -> None:
    world = World(_WORLDS[scenario], Rules())
    for seed in seeds:
        replay_run(database, world, schedule(world, seed, _STEPS_MAX))


def differs(database: str, world: World, run: list[Step]) -> bool:
    try:
        replay_run(database, world, run)
    except AssertionError:
        return True
    return False


def replay_run(database: str, world: World, run: list[Step]) -> None:
    replay = Replay(database, world)
    start = replay.state
    try:
        for number, (event, state) in enumerate(run, 1):
            try:
                replay.step(event, state)
            except AssertionError as error:
                error.add_note(f"at the last step of\n{told(start, tuple(run[:number]))}")
                raise
    finally:
        replay.close()
