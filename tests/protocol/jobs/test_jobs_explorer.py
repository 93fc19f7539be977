"""The jobs protocol keeps its promises in every small world, and needs every one of its rules for it."""

from __future__ import annotations

from typing import Final, NamedTuple

import pytest

from tests.protocol.jobs import properties as promised
from tests.protocol.jobs.explorer import explore
from tests.protocol.jobs.model import Event, State
from tests.protocol.jobs.rules import RULE_NAMES, Rules, why, without
from tests.protocol.jobs.scenarios import LARGE_SCENARIOS, SCENARIOS
from tests.protocol.jobs.trace import SENTENCES
from tests.protocol.search import Explored


class Breach(NamedTuple):
    """What goes wrong without a rule: in which world, which promise, and a step of the story."""

    scenario: str
    promise: str
    step: str


BREACHES: Final = {
    "xid_before_place": Breach("late", promised.ORDER, "ask.commit"),
    "looks_begin_at_floor": Breach("late", promised.ORDER, "look.mark"),
    "floor_awaits_writers": Breach("late", promised.ORDER, "ask.commit"),
    "low_before_look": Breach("stale", promised.ENDS, "ask.commit"),
    "high_is_drawn": Breach("numbers apart", promised.ENDS, "ask.place"),
    "cut_look_proves_less": Breach("cut", promised.ENDS, "ask.commit"),
    "ends_while_reading": Breach("spill", promised.SETTLED, "refill"),
    "look_is_of_its_fence": Breach("moves", promised.ORDER, "release"),
    "known_by_place": Breach("stray", promised.ENDS, "promote"),
    "refill_begins_at_floor": Breach("spill", promised.ORDER, "refill"),
    "spill_keeps_its_floor": Breach("spill", promised.ORDER, "refill"),
    "sleeping_lane_is_known": Breach("asleep", promised.ORDER, "sleep"),
    "held_is_read_as_held": Breach("retry", promised.EARLY, "take"),
    "start_inside_lease": Breach("sleeper", promised.LEASE, "cont"),
    "lane_runs_one": Breach("late", promised.ONE, "start"),
    "start_after_settle": Breach("sleeper", promised.ORDER, "end"),
    "retry_holds_lane": Breach("retry", promised.ORDER, "settle.reply"),
    "runs_end_with_lease": Breach("sleeper", promised.LEASE, "cont"),
    "settle_checks_fence": Breach("sleeper", promised.FENCED_WRITE, "declare"),
    "settle_names_place": Breach("stray", promised.OWN_WRITE, "settle.stray"),
    "settle_asked_again": Breach("crash", promised.SETTLED, "settle.lost"),
    "snooze_takes_new_place": Breach("snooze", promised.ORDER, "promote"),
    "new_owner_new_fence": Breach("moves", promised.ORDER, "release"),
    "taking_checks_own_epoch": Breach("sleeper", promised.ENDS, "declare"),
    "owned_is_compared": Breach("crash", promised.ENDS, "take.lost"),
    "release_only_when_empty": Breach("moves", promised.ONE, "release"),
    "release_stops_starts": Breach("moves", promised.FENCED_START, "release"),
    "release_asked_again": Breach("retry", promised.FENCED_START, "release.lost"),
    "new_owner_reads_anew": Breach("sleeper", promised.ENDS, "declare"),
    "beat_checks_epoch": Breach("sleeper", promised.LEASE, "beat"),
    "new_epoch_drops_all": Breach("sleeper", promised.FENCED_START, "beat"),
    "death_frees_partition": Breach("poison", promised.ENDS, "crash"),
    "look_is_claimed": Breach("poison", promised.POISON, "crash"),
    "death_is_counted": Breach("poison", promised.POISON, "crash"),
    "last_death_buries": Breach("poison", promised.POISON, "declare"),
    "death_counts_heads": Breach("bystanders", promised.BYSTANDER, "settle"),
    "death_counts_no_lane_asleep": Breach("asleep at its owner's death", promised.BYSTANDER, "sleep"),
    "death_counts_own_partition": Breach("bystanders", promised.BYSTANDER, "release"),
    "suspect_is_marked": Breach("suspects", promised.INNOCENT, "look"),
    "mark_ends_with_settle": Breach("held suspect", promised.INNOCENT, "settle"),
    "suspects_run_alone": Breach("suspects", promised.INNOCENT, "mark"),
}

#: Steps of a protocol with a rule taken out; the whole one never takes them.
ONLY_WITHOUT_A_RULE: Final = {"look.mark"}


@pytest.fixture(scope="module")
def explored() -> dict[str, Explored[Event, State]]:
    """Every small world, explored once under the whole protocol."""
    return {name: explore(bounds, Rules()) for name, bounds in SCENARIOS.items()}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_protocol_keeps_every_promise(scenario: str, explored: dict[str, Explored[Event, State]]) -> None:
    """No reachable state of a small world breaks a promise, and from each one every job ends."""
    found = explored[scenario]
    print(f"{scenario}: {found.states} states, {found.steps} steps")

    assert found.violation is None, str(found.violation)


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_is_needed(rule: str) -> None:
    """Without any single rule a promise breaks: the one that it is there for, by a run that shows why."""
    breach = BREACHES[rule]

    violation = explore(SCENARIOS[breach.scenario], without(rule)).violation

    assert violation is not None, f"nothing breaks without {rule}: {why(rule)}"
    print(f"without {rule}: {why(rule)}\n{violation}")
    assert violation.promise == breach.promise
    assert breach.step in violation.kinds


def test_the_worlds_hold_every_kind_of_step(explored: dict[str, Explored[Event, State]]) -> None:
    """A promise kept because nothing happens is not kept: each kind of step is taken in some world."""
    taken = frozenset[str]().union(*(found.kinds for found in explored.values()))

    assert taken == SENTENCES.keys() - ONLY_WITHOUT_A_RULE


@pytest.mark.slow
@pytest.mark.parametrize("scenario", LARGE_SCENARIOS)
def test_the_protocol_keeps_every_promise_in_larger_worlds(scenario: str) -> None:
    """Two troubles at once, writers and workers in trouble, three workers: hundreds of thousands of states each."""
    found = explore(LARGE_SCENARIOS[scenario], Rules())
    print(f"{scenario}: {found.states} states, {found.steps} steps")

    assert found.violation is None, str(found.violation)
