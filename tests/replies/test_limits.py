"""When something may be sent: with Redis, without it, and after a platform has said "too many"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.domain.quota import Scope, Urgency
from gateway.replies.limits import Limits
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.rate_limits import RateLimits
from tests.support.stores import Stores

C1 = Scope("posts", "C1", rate_per_s=0.1, burst=4)
C2 = Scope("posts", "C2", rate_per_s=0.1, burst=4)
SHOP = "slack/shop"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(redis_url: str, clock: Clock) -> Iterator[Limits]:
    shared = RateLimits(StoreSettings(redis_url=Secret(redis_url)))
    yield Limits(shared, share=lambda: 1.0, clock=clock)
    shared.close()


@pytest.fixture
def alone(tmp_path: Path, clock: Clock) -> Callable[[float], Limits]:
    """Makes one that has no Redis, and a share of the sends."""

    def make(share: float) -> Limits:
        shared = RateLimits(StoreSettings(redis_url=Secret(f"unix://{tmp_path}/nobody")))
        return Limits(shared, share=lambda: share, clock=clock)

    return make


def spend(limits: Limits, scope: Scope, urgency: Urgency = Urgency.FINAL) -> int:
    """Send what goes at once; return how much that was."""
    for holder in range(1_000, 2_000):
        if limits.wait_s(SHOP, [scope], holder=holder, urgency=urgency) > 0:
            return holder - 1_000
    raise AssertionError("no limit at all")


def test_what_has_no_scope_never_waits(limits: Limits) -> None:
    assert [limits.wait_s(SHOP, [], holder=n) for n in range(100)] == [0.0] * 100


def test_who_finds_no_room_comes_back_for_the_place_that_it_booked(limits: Limits, clock: Clock) -> None:
    """Law: each waits once, for its own time; whoever asks too early is told the rest."""
    assert spend(limits, C2) == 4
    waits = [limits.wait_s(SHOP, [C1], holder=n) for n in range(7)]
    assert waits[:4] == [0.0] * 4
    assert waits[4:] == [pytest.approx(10.0 * n, abs=1.0) for n in (1, 2, 3)]
    clock.now += 4.0
    assert limits.wait_s(SHOP, [C1], holder=4) == pytest.approx(waits[4] - 4.0)
    clock.now += waits[4] - 4.0
    assert limits.wait_s(SHOP, [C1], holder=4) == 0
    assert limits.wait_s(SHOP, [C1], holder=4) > 25, "its place was used: the next one is behind all others"


def test_a_final_message_overtakes_edits(limits: Limits) -> None:
    """Law: edits and signs of life leave room, and book none."""
    assert spend(limits, C1, Urgency.TYPING) == 1
    assert spend(limits, C1, Urgency.EDIT) == 1
    assert limits.wait_s(SHOP, [C1], holder=1, urgency=Urgency.EDIT) > 0
    assert spend(limits, C1) == 2
    assert limits.wait_s(SHOP, [C1], holder=1, urgency=Urgency.EDIT) > 20, "behind the final that has booked"


def test_a_pause_leaves_others_alone(limits: Limits) -> None:
    limits.pause(SHOP, [C1], 30.0)
    assert limits.wait_s(SHOP, [C1], holder=1) == pytest.approx(30, abs=1)
    assert limits.wait_s(SHOP, [C2], holder=2) == 0
    assert limits.wait_s("slack/other", [C1], holder=3) == 0
    assert limits.wait_s(SHOP, [C1, C2], holder=4) > 30


def test_a_pause_takes_away_what_was_booked_for_its_time(limits: Limits, clock: Clock) -> None:
    """Law: who comes back into a pause waits for its end, in a row with the others."""
    for n in range(4):
        limits.wait_s(SHOP, [C1], holder=n)
    wait_s = limits.wait_s(SHOP, [C1], holder=4)
    limits.pause(SHOP, [C1], 300.0)
    clock.now += wait_s
    assert limits.wait_s(SHOP, [C1], holder=4) == pytest.approx(300, abs=2)


def test_a_pause_holds_for_other_processes(limits: Limits, redis_url: str, clock: Clock) -> None:
    other = Limits(RateLimits(StoreSettings(redis_url=Secret(redis_url))), share=lambda: 0.5, clock=clock)
    limits.pause(SHOP, [C1], 30.0)
    assert other.wait_s(SHOP, [C1], holder=1) > 25


@pytest.mark.parametrize(("share", "at_once", "apart_s"), [(1.0, 4, 10.0), (0.5, 2, 20.0), (0.0, 1, 320.0)])
def test_without_redis_each_process_goes_by_its_share(
    alone: Callable[[float], Limits], clock: Clock, share: float, at_once: int, apart_s: float
) -> None:
    """Law: neither a crowd nor silence."""
    limits = alone(share)
    assert spend(limits, C1) == at_once
    clock.now += apart_s * 2
    assert limits.wait_s(SHOP, [C1], holder=1) == 0


def test_without_redis_a_pause_still_holds_here(alone: Callable[[float], Limits], clock: Clock) -> None:
    limits = alone(1.0)
    limits.pause(SHOP, [C1], 30.0)
    assert limits.wait_s(SHOP, [C1], holder=1) == pytest.approx(30)
    clock.now += 30.0
    assert limits.wait_s(SHOP, [C1], holder=1) == 0
    assert limits.wait_s(SHOP, [C2], holder=2) == 0


def test_a_redis_that_dies_is_replaced_by_what_is_known_here(
    stores: Stores, redis_url: str, clock: Clock, tmp_path: Path
) -> None:
    """Law: a pause that was heard of while Redis was there is kept when it goes; and it is asked again soon."""
    path = tmp_path / "redis"
    path.symlink_to(stores.redis.url.removeprefix("unix://").partition("?")[0])
    shared = RateLimits(StoreSettings(redis_url=Secret(f"unix://{path}")))
    limits = Limits(shared, share=lambda: 1.0, clock=clock)
    assert spend(limits, C2) == 4
    limits.pause(SHOP, [C1], 30.0)
    shared.close()
    target = path.readlink()
    path.unlink()
    assert limits.wait_s(SHOP, [C1], holder=1) == pytest.approx(30)
    assert limits.wait_s(SHOP, [C2], holder=2) == 0, "what Redis knew of this one is not known here"
    path.symlink_to(target)
    clock.now += 2.0
    assert limits.wait_s(SHOP, [C2], holder=3) > 0
    shared.close()


def test_places_of_those_that_never_came_are_forgotten(alone: Callable[[float], Limits], clock: Clock) -> None:
    """Law: and finding that none can be forgotten does not cost each further one a look at all of them."""
    limits = alone(1.0)

    def crowd(first: int, count: int) -> None:
        for holder in range(first, first + count):
            limits.wait_s(SHOP, [Scope("posts", f"C{holder // 10}", rate_per_s=1.0, burst=1)], holder=holder)

    crowd(0, 20_000)
    assert repr(limits) == "<Limits: 18000 places booked, 2000 buckets of its own>"
    clock.now += 1_000.0
    crowd(100_000, 10_000)
    assert repr(limits) == "<Limits: 9000 places booked, 3000 buckets of its own>"
