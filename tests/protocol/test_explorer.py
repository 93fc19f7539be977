"""The ledger protocol keeps its promises in every small world, and needs every one of its rules for it."""

from __future__ import annotations

from typing import Final, NamedTuple

import pytest

from tests.protocol import properties as promised
from tests.protocol.explorer import explore
from tests.protocol.model import Event, State
from tests.protocol.rules import RULE_NAMES, Rules, why, without
from tests.protocol.scenarios import LARGE_SCENARIOS, SCENARIOS
from tests.protocol.search import Explored
from tests.protocol.trace import SENTENCES

#: A rule may need a world that takes long where nothing breaks.
WORLDS: Final = {**SCENARIOS, **LARGE_SCENARIOS}


class Breach(NamedTuple):
    """What goes wrong without a rule: in which world, which promise, and a step of the story."""

    scenario: str
    promise: str
    step: str


BREACHES: Final = {
    "commit_before_ack": Breach("calm", promised.KEPT, "deliver"),
    "accept_asked_again": Breach("lost replies", promised.KEPT, "accept.rolled_back"),
    "keys_insert_unique": Breach("calm", promised.ONE_TURN, "accept.commit"),
    "refusal_leaves_no_key": Breach("calm", promised.KEPT, "accept.commit"),
    "numbers_under_lock": Breach("calm", promised.GAPLESS, "accept.commit"),
    "duplicates_take_no_number": Breach("calm", promised.GAPLESS, "accept.commit"),
    "one_batch_per_conversation": Breach("calm", promised.ARRIVAL_ORDER, "accept.commit"),
    "accept_takes_free_lane": Breach("lost replies", promised.ENDS, "accept.commit"),
    "accept_takes_only_work": Breach("lost replies", promised.ENDS, "settle.commit"),
    "accept_names_owner_of_duplicates": Breach("lost replies", promised.ENDS, "accept.lost"),
    "accept_raises_fence": Breach("drain", promised.FENCED_WRITE, "settle.lost"),
    "death_is_declared": Breach("sleeper", promised.FENCED_CALL, "pause"),
    "taking_checks_own_epoch": Breach("sleeper", promised.ENDS, "declare"),
    "grant_loads_head": Breach("crash", promised.IN_ORDER, "declare"),
    "newer_grant_replaces_lane": Breach("lost replies", promised.ENDS, "settle.commit"),
    "head_loaded_under_fence": Breach("sleeper", promised.FENCED_CALL, "lane.load"),
    "call_inside_lease": Breach("sleeper", promised.LEASE, "cont"),
    "lease_from_before_send": Breach("clocks", promised.LEASE, "beat.reply"),
    "lease_margin": Breach("clocks", promised.LEASE, "tick.ledger"),
    "settle_reads_locked_row": Breach("lost replies", promised.ENDS, "call.answer"),
    "settle_checks_fence": Breach("sleeper", promised.FENCED_WRITE, "declare"),
    "settle_frees_idle_lane": Breach("lost replies", promised.ENDS, "settle.commit"),
    "kept_lane_is_owned": Breach("sleeper and lost replies", promised.FENCED_CALL, "settle.lost"),
    "settled_once": Breach("lost replies", promised.ONE_WRITE, "settle.lost"),
    "settle_asked_again": Breach("lost replies", promised.IN_ORDER, "settle.rolled_back"),
    "beat_checks_epoch": Breach("sleeper", promised.LEASE, "beat"),
    "reregistering_drops_lanes": Breach("sleeper", promised.FENCED_CALL, "beat"),
    "declare_rechecks_beat": Breach("sleeper", promised.LEASE, "suspect"),
    "death_frees_lanes": Breach("poison", promised.ENDS, "crash"),
    "death_raises_fence": Breach("sleeper", promised.FENCED_WRITE, "declare"),
    "death_counts_attempt": Breach("poison", promised.ATTEMPTS, "crash"),
    "last_attempt_buries": Breach("poison", promised.ATTEMPTS, "crash"),
    "sweep_claims_ownerless": Breach("poison", promised.ENDS, "crash"),
    "claim_raises_fence": Breach("drain", promised.FENCED_WRITE, "claim"),
    "reconcile_own_lanes": Breach("takeover", promised.ENDS, "claim.lost"),
    "leaving_frees_lanes": Breach("drain", promised.ENDS, "drain"),
    "reply_in_settle_commit": Breach("reply", promised.ENDS, "settle.commit"),
    "lowest_row_first": Breach("replies", promised.REPLY_ORDER, "send.claim"),
    "send_after_claim_commit": Breach("replies", promised.REPLY_ONCE, "send"),
    "send_inside_lease": Breach("replies", promised.LEASE, "cont"),
    "death_ends_sends": Breach("reply", promised.ENDS, "crash"),
    "unknown_not_resent": Breach("replies", promised.REPLY_ONCE, "declare"),
    "sender_finds_own_claims": Breach("replies", promised.ENDS, "send.claim.lost"),
    "claim_behind_own_only": Breach("direct", promised.REPLY_ORDER, "settle.commit"),
    "back_takes_all_behind": Breach("direct", promised.REPLY_ORDER, "direct.refused"),
    "room_outlives_rows": Breach("direct", promised.REPLY_ORDER, "direct.refused"),
    "next_after_end": Breach("direct, crash", promised.REPLY_ONCE, "declare"),
    "telling_takes_the_row": Breach("kept", promised.TOLD_MARKED, "tell.take"),
    "told_when_written": Breach("kept", promised.TOLD, "crash"),
    "told_in_its_own_life": Breach("kept", promised.TOLD_MARKED, "declare"),
    "telling_ends_its_own": Breach("kept", promised.TOLD_ONCE, "declare"),
    "retelling_is_marked": Breach("kept", promised.TOLD_MARKED, "tell.cut"),
    "told_again_once": Breach("kept", promised.TOLD_TWICE, "tell.cut"),
    "strays_are_given_back": Breach("kept", promised.ENDS, "tell.take.lost"),
}

#: Steps of a protocol with a rule taken out; the whole one never takes them.
ONLY_WITHOUT_A_RULE: Final = {"accept.rolled_back", "settle.rolled_back", "suspect"}


@pytest.fixture(scope="module")
def explored() -> dict[str, Explored[Event, State]]:
    """Every small world, explored once under the whole protocol."""
    return {name: explore(bounds, Rules()) for name, bounds in SCENARIOS.items()}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_protocol_keeps_every_promise(scenario: str, explored: dict[str, Explored[Event, State]]) -> None:
    """No reachable state of a small world breaks a promise, and from each one every turn and reply ends."""
    found = explored[scenario]
    print(f"{scenario}: {found.states} states, {found.steps} steps")

    assert found.violation is None, str(found.violation)


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_is_needed(rule: str) -> None:
    """Without any single rule a promise breaks: the one that it is there for, by a run that shows why."""
    breach = BREACHES[rule]

    violation = explore(WORLDS[breach.scenario], without(rule)).violation

    assert violation is not None, f"nothing breaks without {rule}: {why(rule)}"
    print(f"without {rule}: {why(rule)}\n{violation}")
    assert violation.promise == breach.promise
    assert breach.step in violation.kinds


def test_the_worlds_hold_every_kind_of_step(explored: dict[str, Explored[Event, State]]) -> None:
    """A promise kept because nothing happens is not kept: each kind of step is taken in some world."""
    taken = frozenset[str]().union(*(found.kinds for found in explored.values()))

    assert taken == SENTENCES.keys() - ONLY_WITHOUT_A_RULE


def test_a_breach_is_told_as_a_story() -> None:
    """The shortest run is readable without the model: a settle that trusts its snapshot strands a turn."""
    violation = explore(SCENARIOS["lost replies"], without("settle_reads_locked_row")).violation

    story = [" ".join(line.split()) for line in str(violation).splitlines()]
    assert story == [
        "broken: every accepted turn ends, and every reply",
        "1. the platform delivers message A to p1",
        "2. the platform delivers message B to p1",
        "3. p1's accept of message A commits done 0 of 1; owner p1 (epoch 0), fence 1; turn 1 is A",
        "4. p1 acknowledges message A p1's lane: loading under fence 1",
        "5. p1 loads the head, turn 1 p1's lane: ready turn 1 under fence 1",
        "6. p1 starts the call of turn 1 p1's lane: calling turn 1 under fence 1",
        "7. the assistant answers p1 on turn 1; p1 sends the settle p1's lane: settling turn 1 under fence 1",
        "8. p1's accept of message B commits done 0 of 2; turn 2 is B",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("scenario", LARGE_SCENARIOS)
def test_the_protocol_keeps_every_promise_in_larger_worlds(scenario: str) -> None:
    """Two troubles at once, three processes, four messages: tens or hundreds of thousands of states each."""
    found = explore(LARGE_SCENARIOS[scenario], Rules())
    print(f"{scenario}: {found.states} states, {found.steps} steps")

    assert found.violation is None, str(found.violation)
