"""Accepts of two processes at once, on two connections."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest

from gateway.domain.errors import SwitchboardError
from gateway.settings.lanes import LaneSettings
from gateway.settings.store import StoreSettings
from gateway.store.ledger.ledger import Ledger
from gateway.store.postgres import Database
from tests.support.actor import Actor, arrival


@pytest.mark.parametrize("first_ends", ["commits", "rolls back"])
def test_of_two_that_accept_one_delivery_at_once_exactly_one_is_new(
    here: Actor, there: Actor, first_ends: str
) -> None:
    """Law: the second one waits until the first one's key is decided, and then knows its turn."""
    try:
        with here.transaction():
            first = here.say(keys=["a"])
            other = gevent.spawn(there.say, keys=["a"])
            here.holds_up(there, other)
            if first_ends == "rolls back":
                raise InterruptedError
    except InterruptedError:
        assert (other.get().outcome, other.get().seq) == ("new", 1)
    else:
        assert (other.get().outcome, other.get().turn_id) == ("duplicate", first.turn_id)
    assert here.one("SELECT count(*) FROM turns") == 1


def test_a_refusal_under_way_lets_the_same_message_in_elsewhere(here: Actor, there: Actor) -> None:
    here.say()
    with here.transaction():
        refused = here.accept(arrival(keys=["a"]), waiting_max=1)[0]
        other = gevent.spawn(there.say, keys=["a"])
        here.holds_up(there, other)
    assert refused.outcome == "refused"
    assert (other.get().outcome, other.get().seq) == ("new", 2)


def test_a_new_conversation_made_by_two_at_once_is_one(here: Actor, there: Actor) -> None:
    with here.transaction():
        first = here.say(lane="new", user="new")
        other = gevent.spawn(there.say, lane="new", user="new")
        here.holds_up(there, other)
    assert (other.get().conversation_id, other.get().seq, other.get().lane) == (
        first.conversation_id,
        2,
        None,
    )
    assert here.one("SELECT count(*) FROM users") == 1


def test_batches_that_share_keys_users_and_lanes_crosswise_do_not_deadlock(here: Actor, there: Actor) -> None:
    """Law: locks are taken in one order everywhere, whatever the order of the messages."""
    batch = [
        arrival(keys=[f"key {n}"], lane=f"lane {n % 5}", user=f"user {n % 3}", channel="slack")
        for n in range(30)
    ]
    for round_number in range(10):
        fresh = [arrival(lane=f"lane {n % 5}", user=f"user {round_number}-{n % 3}") for n in range(10)]
        one = gevent.spawn(here.accept, *batch, *fresh)
        two = gevent.spawn(there.accept, *reversed(batch), *reversed(fresh))
        gevent.joinall([one, two], raise_error=True)
    assert here.one("SELECT count(*) FROM turns WHERE message ->> 'text' = 'hello'") == 30 + 10 * 10


def test_fifty_messages_of_one_conversation_over_two_processes_are_numbered_without_a_gap(
    actors: Callable[..., Actor], store_settings: StoreSettings
) -> None:
    """Law: batches, connections and processes do not matter to a conversation's order; a process's own order holds."""
    ledgers = []
    pools = [Database(store_settings), Database(store_settings)]
    for pool in pools:
        process = actors().process
        ledgers.append(
            Ledger(pool, store_settings, LaneSettings(lane_waiting_max=1_000), lambda p=process: p)
        )

    def deliver(number: int) -> int:
        (accepted,) = ledgers[number % 2].accept([arrival(f"{number}")])
        assert not isinstance(accepted, SwitchboardError)
        return accepted.seq

    greenlets = [gevent.spawn(deliver, number) for number in range(50)]
    gevent.joinall(greenlets, raise_error=True)
    numbers = [greenlet.value for greenlet in greenlets]
    assert sorted(numbers) == list(range(1, 51))
    for process in (0, 1):
        own = numbers[process::2]
        assert own == sorted(own), "what one process took in one after the other stands in that order"
    for pool in pools:
        pool.close()


def test_whoever_declares_a_process_dead_waits_for_the_accept_that_is_granting_it_a_lane(
    here: Actor, there: Actor
) -> None:
    """Law: between the check that it lives and the commit nobody can bury it; else its lane would be stranded.

    Burying passes over it (others must not wait for it) and comes again; leaving, which is its own, waits.
    """
    here.fall_silent()
    with here.transaction():
        accepted = here.say()
        assert accepted.lane is not None
        assert there.bury().processes == 0
    buried = there.bury()
    assert (buried.processes, buried.lanes) == (1, 1)
    assert there.adopt() == [accepted.conversation_id]


def test_leaving_waits_for_an_accept_that_is_granting_a_lane(here: Actor, database: str) -> None:
    again = Actor(database)
    again.process = here.process
    with here.transaction():
        accepted = here.say()
        leaving = gevent.spawn(again.leave)
        here.holds_up(again, leaving)
    leaving.get()
    lane = again.lane(accepted.conversation_id)
    assert (lane.owner, lane.orphaned) == (None, True)


def test_an_accept_that_waited_for_its_own_burial_takes_no_lane(here: Actor, there: Actor) -> None:
    here.fall_silent()
    with there.transaction():
        assert there.bury().processes == 1
        accepting = gevent.spawn(here.say)
        there.holds_up(here, accepting)
    assert accepting.get().outcome == "new"
    assert accepting.get().lane is None
    assert there.lane(accepting.get().conversation_id).orphaned
