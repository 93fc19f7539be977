"""The shared buckets do what the pure ones do, for all processes, by one clock."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
import redis
from greenlet import greenlet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from gateway.domain.errors import StoreUnavailable
from gateway.domain.quota import Scope
from gateway.domain.token_bucket import TokenBucket
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.rate_limits import RateLimits, bucket_key
from tests.greenlets.switched import switched_to
from tests.support.waiting import GUARD_S

ROOT = Path(__file__).parents[2]
#: Slow, so that what a test takes is nothing beside it.
SLOW = Scope("posts", "C1", rate_per_s=0.01, burst=4)
OTHER = Scope("posts", "C2", rate_per_s=0.01, burst=4)
#: Of a wait of hundreds of seconds.
NEAR_S = 5.0
_keys = itertools.count()


@pytest.fixture
def limits(redis_url: str) -> Iterator[RateLimits]:
    limits = RateLimits(StoreSettings(redis_url=Secret(redis_url)))
    yield limits
    limits.close()


def test_a_burst_and_then_a_wait(limits: RateLimits) -> None:
    assert [limits.take("slack/shop", [SLOW]).wait_s for _ in range(4)] == [0.0] * 4
    refused = limits.take("slack/shop", [SLOW])
    assert not refused.booked
    assert refused.wait_s == pytest.approx(100, abs=NEAR_S)
    assert limits.take("slack/shop", [OTHER]).wait_s == 0
    assert limits.take("slack/other", [SLOW]).wait_s == 0


def test_many_who_ask_at_once_share_round_trips_and_are_served_in_order(limits: RateLimits, redis_url: str) -> None:
    """Law: what is left of a burst is the first ones', and each account's bucket is its own."""
    client = redis.Redis.from_url(redis_url)
    limits.take("a", [OTHER])  # whoever asks first may have to load the script
    client.config_resetstat()
    asking = [gevent.spawn(limits.take, owner, [SLOW], ahead_max_s=1_000.0) for _ in range(6) for owner in ("a", "b")]
    gevent.joinall(asking, timeout=GUARD_S, raise_error=True)
    waits = [greenlet.value.wait_s for greenlet in asking]
    for ours in (waits[::2], waits[1::2]):
        assert ours == pytest.approx([0, 0, 0, 0, 100, 200], abs=NEAR_S)
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 2
    client.close()


def test_those_who_ask_one_after_another_cost_no_new_greenlet(limits: RateLimits) -> None:
    limits.take("a", [SLOW])
    with switched_to() as greenlets:
        for _ in range(3):
            limits.take("a", [SLOW])
    assert [kind for kind, _ in greenlets] == [greenlet]


def test_all_or_none(limits: RateLimits) -> None:
    """Law: what one bucket refuses is not taken of the other."""
    for _ in range(4):
        limits.take("a", [SLOW])
    assert limits.take("a", [OTHER, SLOW]).wait_s > 0
    assert [limits.take("a", [OTHER]).wait_s for _ in range(4)] == [0.0] * 4


def test_a_pause_holds_for_what_is_paused_alone(limits: RateLimits) -> None:
    limits.pause("a", [SLOW], 50.0)
    assert limits.paused_for_s("a", [SLOW]) == pytest.approx(50, abs=NEAR_S)
    assert limits.take("a", [SLOW]).wait_s == pytest.approx(50, abs=NEAR_S)
    assert limits.paused_for_s("a", [OTHER]) == 0
    assert limits.take("a", [OTHER]).wait_s == 0
    assert limits.take("b", [SLOW]).wait_s == 0
    limits.pause("a", [SLOW], 1.0)
    assert limits.paused_for_s("a", [SLOW, OTHER]) == pytest.approx(50, abs=NEAR_S)


STEP = some.one_of(
    some.tuples(some.just("take"), some.sampled_from([0.0, 0.5, 0.75]), some.sampled_from([0.0, 150.0, 1_000.0])),
    some.tuples(some.just("pause"), some.sampled_from([20.0, 300.0]), some.just(0.0)),
)


@given(steps=some.lists(STEP, max_size=20), burst=some.sampled_from([1.0, 3.0, 8.0]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_the_script_is_the_bucket(
    limits: RateLimits, steps: list[tuple[str, float, float]], burst: float
) -> None:
    """Law: the same answers as the pure bucket, whatever is asked in which order."""
    scope = Scope("posts", f"{next(_keys)}", rate_per_s=0.01, burst=burst)
    bucket, now = TokenBucket(), 1_000_000.0
    for todo, how_much, ahead_s in steps:
        if todo == "pause":
            bucket = bucket.pause(now, how_much, rate_per_s=0.01, burst=burst)
            limits.pause("a", [scope], how_much)
            continue
        bucket, taken = bucket.take(
            now, rate_per_s=0.01, burst=burst, reserve=how_much * burst, ahead_max_s=ahead_s
        )
        shared = limits.take("a", [scope], reserve=how_much, ahead_max_s=ahead_s)
        assert shared.wait_s == pytest.approx(taken.wait_s, abs=NEAR_S)
        assert shared.booked is taken.booked


_TAKE = """
import sys
from gateway.domain.quota import Scope
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.rate_limits import RateLimits
limits = RateLimits(StoreSettings(redis_url=Secret(sys.argv[1])))
scope = Scope("posts", "C", rate_per_s=0.001, burst=50)
print(sum(limits.take("a", [scope]).wait_s == 0 for _ in range(60)))
"""


def test_processes_share_a_bucket(redis_url: str) -> None:
    """Law: together they get the burst, however they are mixed."""
    command = [sys.executable, "-c", _TAKE, redis_url]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(process.communicate(timeout=60)[0]) for process in processes) == 50


def test_a_bucket_that_is_full_again_is_no_key(limits: RateLimits, redis_url: str) -> None:
    """Law: Redis keeps nothing of what nobody sends to any more."""
    limits.take("a", [Scope("posts", "C", rate_per_s=100, burst=3)])
    limits.pause("a", [SLOW], 50.0)
    with redis.Redis.from_url(redis_url) as client:
        lives_s = {key: client.pttl(key) / 1000 for key in client.keys("*")}
    brief, long = sorted(lives_s.values())
    assert 0 < brief < 2
    # The pause, and then until it is full: (burst - 1) / rate.
    assert long == pytest.approx(351, abs=NEAR_S)


def test_keys_of_an_account_are_in_one_slot_and_of_bounded_length() -> None:
    """Law: whatever a payload calls a channel; and two long names are two buckets."""
    long = [bucket_key("slack/shop", Scope("posts", "x" * 10_000 + end, 1, 1)) for end in "ab"]
    assert len(set(long)) == 2
    assert all(len(key) < 120 and key.startswith("rate:{slack/shop}:posts:") for key in long)
    assert bucket_key("slack/shop", Scope("posts", "\ud800" * 100, 1, 1))


def test_without_redis_it_says_so(tmp_path: Path) -> None:
    limits = RateLimits(StoreSettings(redis_url=Secret(f"unix://{tmp_path}/nobody")))
    with pytest.raises(StoreUnavailable, match="Redis"):
        limits.take("a", [SLOW])
