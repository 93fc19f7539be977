"""What the adaptive limit promises, against backends of four kinds in virtual time."""

from __future__ import annotations

import pytest

from gateway.domain.resilience.limiter import ConcurrencyLimit, LimitRules
from tests.domain.resilience.backend import KINDS, World

every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_five_times_too_much_leaves_nine_tenths_of_the_peak(kind: str) -> None:
    """Seconds after the onset all that the backend can do is done, in time, and almost nothing in vain."""
    world = World(kind, servers=20, service_s=0.05)
    world.run(20.0, 0.5)

    world.run(5.0, 5.0)  # what came before the limit fell is in the backend's queue, whoever still wants it
    overloaded = world.run(30.0, 5.0)

    assert overloaded.good >= 0.9
    assert overloaded.late <= 0.02


@every_kind
@pytest.mark.parametrize(
    ("servers", "service_s", "deadline_s"), [(20, 0.05, 1.0), (100, 0.05, 0.3), (20, 0.2, 2.0)]
)
def test_an_overload_from_the_first_call_on_is_no_different(
    kind: str, servers: int, service_s: float, deadline_s: float
) -> None:
    """There was never a moment to learn the round trip without queueing."""
    world = World(kind, servers=servers, service_s=service_s, deadline_s=deadline_s)

    world.run(120 * service_s, 5.0)

    assert world.run(120 * service_s, 5.0).good >= 0.9
    assert world.run(240 * service_s, 5.0).good >= 0.9


def test_a_burst_whose_shortest_calls_end_first_leads_to_no_collapse() -> None:
    """The first baseline is far too low: of 200 calls served at once, the first 50 to end are the shortest."""
    world = World("exponential", servers=200, service_s=0.05)

    world.run(1.0, 5.0)

    assert world.run(3.0, 5.0).good >= 0.9


@every_kind
def test_an_hour_of_overload_is_not_learned_as_normal(kind: str) -> None:
    world = World(kind, servers=4, service_s=0.4, deadline_s=4.0)
    world.run(60.0, 0.5)
    world.run(240.0, 5.0)
    limits, baseline_s = [], world.limit.baseline_s

    for _ in range(11):
        rates = world.run(300.0, 5.0)
        limits.append(world.limit.limit)
        assert rates.good >= 0.9
    assert 0.9 * baseline_s <= world.limit.baseline_s <= 1.1 * baseline_s
    assert max(limits) <= 20  # two to three times the servers, and a swing


@every_kind
def test_when_the_load_falls_nothing_is_shed_and_the_limit_recovers(kind: str) -> None:
    world = World(kind, servers=20, service_s=0.05)
    world.run(10.0, 0.5)
    world.run(20.0, 5.0)
    assert world.limit.limit < 100
    world.run(5.0, 0.3)

    calm = world.run(60.0, 0.3)

    assert calm.good == pytest.approx(0.3, rel=0.1)
    assert calm.shed == 0
    assert world.limit.limit == 1_024


@every_kind
@pytest.mark.parametrize("times", [2.0, 3.0])
def test_a_backend_that_becomes_slower_for_good_is_not_shed(kind: str, times: float) -> None:
    """There is little load: the baseline follows, slowly, and the limit stays out of the way."""
    world = World(kind, servers=100, service_s=0.05, deadline_s=5.0)
    world.run(20.0, 0.1)
    baseline_s = world.limit.baseline_s

    world.slowness = times
    soon = world.run(5.0, 0.1)
    soon_s = world.limit.baseline_s
    later = world.run(85.0, 0.1)

    assert (soon.shed, later.shed) == (0, 0)
    assert soon_s < 1.2 * baseline_s
    assert world.limit.baseline_s > 0.75 * times * baseline_s


@every_kind
def test_a_faster_backend_is_learned_at_once(kind: str) -> None:
    world = World(kind, servers=100, service_s=0.2, deadline_s=5.0)
    world.run(20.0, 0.1)
    before_s = world.limit.baseline_s

    world.slowness = 0.25
    world.run(20.0, 0.1)

    assert world.limit.baseline_s < 0.4 * before_s


def test_a_first_burst_is_not_shed_while_the_backend_copes() -> None:
    """Although the first calls to end were the shortest, and all others look slow beside them."""
    world = World("exponential", servers=1_000, service_s=0.05)

    assert world.run(3.0, 0.7).shed == 0
    assert world.limit.limit > 900


@every_kind
def test_answers_of_very_different_length_do_not_move_it(kind: str) -> None:
    """The limit is in use, by two thirds, and the backend has room: what comes is done."""
    world = World(kind, servers=60, service_s=2.0, deadline_s=60.0, rules=LimitRules(ceiling=60))

    world.run(100.0, 0.6)
    rates = world.run(900.0, 0.6)

    assert rates.shed <= 0.03
    assert world.limit.limit >= 40


@pytest.mark.parametrize("floor", [4, 30])
def test_the_floor_holds_when_every_call_is_dropped(floor: int) -> None:
    world = World("constant", servers=1, service_s=100.0, rules=LimitRules(floor=floor), deadline_s=0.1)
    world.run(60.0, 10_000.0)

    assert world.limit.limit == floor


def test_a_few_dropped_calls_are_borne_and_many_are_not() -> None:
    """One in a hundred is an accident; one in three says that the endpoint cannot cope."""

    def after(one_in: int) -> int:
        world = World("constant", servers=1, service_s=1.0, rules=LimitRules(ceiling=100))
        for call in range(5_000):
            now = call * 0.01
            if call % one_in:
                world.limit.sample(now, 0.05, 90)
            else:
                world.limit.drop(now, 0.01, 90)
        return world.limit.limit

    assert after(100) == 100
    assert after(3) <= 30


@pytest.mark.parametrize("drowned", [False, True])
def test_calls_from_before_a_fall_do_not_judge_what_is_left(drowned: bool) -> None:
    """A thousand calls end one after the other, and all of them were begun at the old limit."""
    limit = World("constant", servers=1, service_s=1.0).limit
    for call in range(60 if drowned else 0):
        limit.drop(call * 0.001 - 9.0, 0.1, 4_000)
    for call in range(1_000):
        limit.sample(call * 0.01 - 8.0, 0.05, 1_000)
    now, before = 2.0, limit.limit
    while limit.limit == before:
        now += 0.001
        limit.sample(now, 0.2, 1_000)
    fallen = limit.limit
    assert 400 < fallen < before

    for call in range(300):
        limit.sample(now + call * 0.001, 0.2, 1_000 - call)
    assert limit.limit == fallen
    for call in range(700):
        limit.sample(now + 0.4 + call * 0.001, 0.2, fallen)
    assert limit.limit < fallen


def test_an_endpoint_that_is_back_is_not_judged_by_the_last_timeouts() -> None:
    """Calls begun before the fall go on timing out for ten seconds; those begun since are answered."""
    limit = World("constant", servers=1, service_s=1.0).limit
    for call in range(60):
        limit.sample(call * 0.01 - 20.0, 0.05, 50)
    for call in range(50):
        limit.drop(call * 0.001, 10.0, 50)
    assert limit.limit == 12

    for call in range(400):
        now = 0.1 + call * 0.005
        limit.sample(now, 0.05, limit.limit)
        limit.drop(now, 10.0, limit.limit)
    assert limit.limit > 50


def test_a_pause_teaches_no_more_than_a_calm() -> None:
    """After an hour without a call a few slow ones are no news about the hour."""
    limit = World("constant", servers=1, service_s=1.0).limit
    for call in range(200):
        limit.sample(call * 0.01, 0.05, 1)

    for call in range(60):
        limit.sample(3_600.0 + call * 0.01, 5.0, 1)

    assert limit.baseline_s < 0.1


@pytest.mark.parametrize("waited_s", [0.01, 10.0])
def test_after_a_burst_of_drops_it_grows_back_within_seconds(waited_s: float) -> None:
    """Also if the last calls to be dropped waited long."""
    world = World("constant", servers=200, service_s=0.05)
    for call in range(1_000):
        world.limit.sample(call * 0.001 - 70.0, 0.05, 50)
    for call in range(7_000):
        world.limit.drop(call * 0.01 - 65.0, waited_s, 50)
    assert world.limit.limit == 4
    world.now = 5.0

    world.run(3.0, 0.5)

    assert world.run(2.0, 0.5).shed == 0


@every_kind
def test_a_hundred_gateways_share_one_backend(kind: str) -> None:
    """They know nothing of each other; what they agree in is the round trip."""
    world = World(kind, servers=400, service_s=0.05, rules=LimitRules(floor=1), gateways=100)
    world.run(3.0, 0.5)
    world.run(11.0, 4.0)

    shared = world.run(8.0, 4.0)

    limits = sorted(each.limit for each in world.limits)
    assert shared.good >= 0.9
    assert 400 <= sum(limits) <= 1_600
    assert limits[10] >= 2
    assert limits[89] <= 25


def test_a_round_trip_of_no_time_is_no_accident() -> None:
    world = World("constant", servers=1, service_s=1.0)
    for call in range(200):
        world.limit.sample(float(call), 0.0, 1)

    assert repr(world.limit) == "<ConcurrencyLimit 1024 of 4 to 1024, baseline 0.0 ms>"


def test_a_caller_without_patience_is_no_overload() -> None:
    """Given up on before an endpoint without load would have answered: that says nothing about it."""
    limit = ConcurrencyLimit(LimitRules(samples_min=10))
    for number in range(200):
        limit.sample(number * 0.01, 0.1, 50)
    before = limit.limit
    for number in range(200):
        limit.give_up(2.0 + number * 0.01, 0.15, 50)
    assert limit.limit == before

    for number in range(200):
        limit.give_up(4.0 + number * 0.01, 0.3, 50)
    assert limit.limit < before


def test_few_calls_are_enough_to_find_that_nothing_is_answered() -> None:
    """Who calls seldom must learn it before a circuit opens: what it would come back with is an unbounded limit."""
    limit = ConcurrencyLimit(LimitRules())
    for number in range(100):
        limit.sample(number * 0.1, 0.1, 4)
    before = limit.limit
    for number in range(20):
        limit.drop(20.0 + number * 0.1, 2.0, 20)

    assert limit.limit <= 5 < before
