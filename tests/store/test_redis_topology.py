"""Who has what: learnt by one look for all, of which the best answer counts; a server that failed is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest
import redis
from gevent.event import Event

from gateway.store.redis_topology import Address, Pace, Topology, View
from tests.support.waiting import until

A, B, C, SEED = (Address("10.0.0.1", port) for port in (1, 2, 3, 9))
WHOLE = View((True, 7), [(0, 99, A), (100, 199, B), (300, 399, C)])
#: Quick, so that a test waits for what it tests.
PACE = Pace(pause_s=0.2, rest_s=0.2)


class World:
    """Servers that say what they are told to say."""

    def __init__(self) -> None:
        self.views: dict[Address, View] = {SEED: WHOLE}
        self.asked: list[Address] = []
        self.masters: list[frozenset[Address]] = []
        self.silent: set[Address] = set()

    def look(self, address: Address) -> View:
        self.asked.append(address)
        if address in self.silent:
            Event().wait()
        if address not in self.views:
            raise redis.ConnectionError("refused")
        gevent.sleep(0)
        return self.views[address]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def topology(world: World) -> Iterator[Topology]:
    topology = make(world)
    yield topology
    topology.close()


def make(world: World, seeds: tuple[Address, ...] = (SEED,), pace: Pace = PACE) -> Topology:
    return Topology(
        seeds, look=world.look, on_masters=world.masters.append, asks_masters=True, patience_s=0.2, pace=pace
    )


def test_a_slot_is_its_masters(topology: Topology) -> None:
    assert [topology.owner(slot) for slot in (0, 99, 100, 199, 300, 399)] == [A, A, B, B, C, C]


@pytest.mark.parametrize("slot", [200, 299, 400, 16_383])
def test_a_slot_that_nobody_has_is_an_error(topology: Topology, slot: int) -> None:
    with pytest.raises(redis.ConnectionError, match="no master has this slot"):
        topology.owner(slot)


def test_a_crowd_looks_once(world: World, topology: Topology) -> None:
    crowd = [gevent.spawn(topology.owner, slot) for slot in range(100)]
    gevent.joinall(crowd, raise_error=True)
    assert world.asked == [SEED]
    for _ in range(100):
        topology.failed(A)
    until("the look", lambda: len(world.asked) == 1 + 4)
    assert sorted(world.asked[1:]) == [A, B, C, SEED], "each once: those known, and those of the settings"


def test_the_word_of_the_best_counts(world: World) -> None:
    """Law: who was cut off, or forgotten by the others, leads nobody astray."""
    old, lonely = View((True, 6), [(0, 399, B)]), View((False, 9), [(0, 399, C)])
    world.views = {A: old, B: WHOLE, C: lonely}
    topology = make(world, (A, B, C))
    assert topology.owner(0) == A
    assert topology.all() == {A, B, C}


def test_one_that_is_silent_holds_nobody_up_for_long(world: World) -> None:
    world.silent = {A}
    topology = make(world, (A, SEED))
    assert topology.owner(0) == A


def test_while_nobody_says_anything_each_fails_at_once(world: World, topology: Topology) -> None:
    world.views = {}
    for _ in range(50):
        with pytest.raises(redis.ConnectionError, match="nobody says"):
            topology.owner(0)
    assert len(world.asked) == 1
    world.views = {SEED: WHOLE}
    until("somebody to say it", lambda: _said(lambda: topology.owner(0)))
    assert len(world.asked) <= 3


def test_what_a_server_said_of_a_slot_stands_until_the_next_view(world: World, topology: Topology) -> None:
    assert topology.owner(150) == B
    topology.moved(150, C)
    assert topology.owner(150) == C
    assert topology.owner(151) == B
    world.views = {SEED: View((True, 8), [(0, 399, A)])}
    gevent.sleep(0.2)  # Looks are not made sooner, and nothing tells of one that is not made.
    topology.doubt()
    until("the next view", lambda: topology.owner(150) == A)
    assert world.masters == [{A, B, C}, {A}]


def test_who_failed_rests_and_is_no_ones_choice(topology: Topology) -> None:
    topology.owner(0)
    topology.failed(A)
    topology.failed(B)
    assert [topology.rests(address) for address in (A, B, C)] == [True, True, False]
    assert {topology.any() for _ in range(50)} == {C}
    assert topology.any(A) == C
    assert topology.owner(0) == A, "nobody else has its slots"
    until("the rest to be over", lambda: not topology.rests(A))
    assert topology.any(A) == C, "where others would do as well, it is left alone for longer"


def test_where_all_have_failed_the_first_is_tried_again(topology: Topology) -> None:
    for address in (topology.owner(100), topology.owner(0), topology.owner(300)):
        topology.failed(address)
    assert topology.any() == B


def test_a_failure_is_forgotten(world: World) -> None:
    topology = make(world, pace=PACE._replace(avoided_s=0.1))
    assert topology.any(A) == A
    topology.failed(A)
    assert topology.any(A) != A
    until("the next view", lambda: topology.any(A) == A)


def test_a_master_that_is_none_any_more_is_no_ones_favourite(world: World, topology: Topology) -> None:
    assert topology.any(C) == C
    world.views = {SEED: View((True, 8), [(0, 399, A)])}
    gevent.sleep(0.2)  # As above.
    topology.doubt()
    until("the next view", lambda: topology.any(C) == A)


def test_views_are_renewed_by_whoever_uses_them(world: World) -> None:
    """Law: nothing fails where everybody else has left, and nothing else would tell of it."""
    topology = make(world, pace=PACE._replace(renew_s=0.3))
    assert topology.all() == {A, B, C}
    world.views = {SEED: View((True, 8), [(0, 399, A)])}
    until("the next view", lambda: topology.all() == {A})


def _said(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except redis.ConnectionError:
        return False
    return True
