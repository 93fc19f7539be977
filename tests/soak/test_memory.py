"""A gateway that serves badly behaved guests for a long time holds afterwards what it held before."""

from __future__ import annotations

import random

import gevent
import pytest

from tests.soak.census import APPLICATION, Census, take_census
from tests.soak.crowd import Crowd, moody
from tests.support.calling import call
from tests.support.stack import GatewayProcess, Stack, running_stack
from tests.support.waiting import until

GUESTS = 60
WARM_UP_S = 10.0
STAY_S = 24.0
#: Rest is when so many looks, each so many seconds after the one before, see the same.
LOOKS, LOOK_S = 8, 0.5
#: What may be there after the stay that was not after the warm-up.  Ten thousand turns and more pass by: half a
#: kilobyte that stays of each is too much, and so is one object of every twentieth.
GROWTH_BYTES_MAX = 6_000_000
GROWTH_OBJECTS_MAX = 500
#: Connections to PostgreSQL that the pool may have opened since.
SPARE_DESCRIPTORS = 8
#: A page that has gone is noticed when its stream writes: soon, or there would be no rest to compare.
SETTINGS = {"webchat.heartbeat_s": 1}


@pytest.mark.slow
def test_what_guests_took_is_given_back(database: str, redis_url: str) -> None:
    """Greenlets and descriptors return to what they were, memory and objects do not grow with the turns, and no
    guest, however rude, was answered with a 500."""
    rng = random.Random(20261122)
    with running_stack(database, redis_url, gateways=0, settings=SETTINGS) as stack:
        gateway = stack.start_gateway(APPLICATION)
        gateway.wait_ready()
        stack.assistant.usually(moody(rng))
        crowd = Crowd(gateway.port, stack.slack, rng)
        crowd.stay(WARM_UP_S, guests=GUESTS)
        before = _rest(stack, gateway)
        turns = len(stack.assistant.calls)
        crowd.stay(STAY_S, guests=GUESTS)
        after = _rest(stack, gateway)
        print(
            f"{len(stack.assistant.calls) - turns} turns",
            before,
            after,
            *sorted(crowd.seen.items()),
            sep="\n",
        )
        assert not [seen for seen in crowd.seen if seen.endswith(" 500")]
        assert after.greenlets <= before.greenlets
        assert after.descriptors <= before.descriptors + SPARE_DESCRIPTORS
        assert after.objects < before.objects + GROWTH_OBJECTS_MAX
        assert after.resident_bytes < before.resident_bytes + GROWTH_BYTES_MAX
        _assert_nothing_is_open(gateway)


def _rest(stack: Stack, gateway: GatewayProcess) -> Census:
    """Return what is held once it is quiet: turns have ended, and idle connections and dead streams were let go."""
    stack.ledger.wait_quiet()
    seen: list[Census] = []

    def steady() -> bool:
        seen.append(take_census(gateway.port))
        gevent.sleep(LOOK_S)
        last = {(each.greenlets, each.descriptors) for each in seen[-LOOKS:]}
        return len(seen) >= LOOKS and len(last) == 1

    until("rest", steady)
    return seen[-1]


def _assert_nothing_is_open(gateway: GatewayProcess) -> None:
    """Its own numbers say the same: no stream, no call to an assistant that is still under way."""
    lines = call(gateway.port, "/metrics", method="GET").body.decode().splitlines()
    streams = [line for line in lines if line.startswith("switchboard_streams_open{")]
    assert streams
    assert {line.rpartition(" ")[2] for line in streams} == {"0.0"}
