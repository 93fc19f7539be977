"""The owner: who this process is in the ledger, and whether it may still act."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from gateway.domain.errors import StoreUnavailable, TooLate
from gateway.lanes.owner import Owner
from gateway.settings.lanes import LaneSettings
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.postgres import Database
from tests.support.actor import Actor
from tests.support.waiting import until

SETTINGS = LaneSettings(beat_s=0.05, dead_after_s=5.0, lease_margin_s=1.0)


class Clock:
    """A monotonic clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Away:
    """A store that is not there."""

    tries = 0

    def run(self, work: object) -> object:
        self.tries += 1
        raise StoreUnavailable("away", reason="away", retry_after_s=1)


class Life:
    """An owner with what it does recorded, on a clock of the test's."""

    def __init__(self, database: Database, settings: LaneSettings = SETTINGS) -> None:
        self.deaths = 0
        self.clock = Clock()
        self.owner = Owner(
            database, settings, kind="gateway", label="test", on_dead=self._die, clock=self.clock
        )
        self._beating = gevent.spawn(lambda: None)

    def _die(self) -> None:
        assert not self.owner.holds(), "nothing may be begun any more when it is told"
        self.deaths += 1

    def beat(self) -> None:
        self._beating = gevent.spawn(self.owner.beat_forever)

    def stop(self) -> None:
        self._beating.kill()


@pytest.fixture
def pool(database: str) -> Iterator[Database]:
    pool = Database(StoreSettings(database_url=Secret(database)))
    yield pool
    pool.close()


@pytest.fixture
def life(pool: Database) -> Iterator[Life]:
    life = Life(pool)
    yield life
    life.stop()


@pytest.fixture
def other(database: str) -> Actor:
    """Another gateway."""
    return Actor(database)


def test_unregistered_it_is_nobody_and_holds_nothing(life: Life) -> None:
    assert not life.owner.holds()
    assert life.owner.epoch == 0
    with pytest.raises(StoreUnavailable):
        _ = life.owner.process
    life.owner.leave()


def test_registering_gives_an_identity_and_the_first_lease(life: Life, other: Actor) -> None:
    life.owner.register()
    assert life.owner.holds()
    assert life.owner.epoch == 1
    row = other.one(
        "SELECT kind, label, beat IS NOT NULL FROM processes WHERE id = %s", life.owner.process.process_id
    )
    assert row == ("gateway", "test", True)


def test_the_lease_runs_out_by_itself_a_margin_before_others_may_take_over(life: Life) -> None:
    life.owner.register()
    life.clock.now += SETTINGS.dead_after_s - SETTINGS.lease_margin_s - 0.01
    assert life.owner.holds()
    life.clock.now += 0.02
    assert not life.owner.holds()


def test_the_lease_counts_from_before_the_beat_was_sent(life: Life, other: Actor) -> None:
    """Law: the ledger counts from the beat's arrival; a beat whose answer took long has given that much less."""
    life.owner.register()
    with other.transaction():
        other.rows("SELECT 1 FROM processes WHERE id = %s FOR UPDATE", life.owner.process.process_id)
        life.clock.now += 1.0
        sent_at = life.clock.now
        life.beat()
        until("the beat to be on its way", lambda: other.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))
        life.clock.now += 2.0
    until("the beat", lambda: life.owner._lease.until >= sent_at + 4.0)
    assert life.owner._lease.until == sent_at + SETTINGS.dead_after_s - SETTINGS.lease_margin_s


def test_beats_renew_the_lease_and_count_the_gateways(life: Life, other: Actor) -> None:
    life.owner.register()
    life.clock.now += 100.0
    assert not life.owner.holds()
    life.beat()
    until("a beat", life.owner.holds)
    assert life.owner.gateways == 2
    other.leave()
    until("the other one to be gone", lambda: life.owner.gateways == 1)


def test_beating_registers_first(life: Life) -> None:
    life.beat()
    until("a lease", life.owner.holds)


def test_declared_dead_it_drops_everything_and_comes_back_as_another(life: Life, other: Actor) -> None:
    life.owner.register()
    first = life.owner.process
    other.rows(
        "UPDATE processes SET beat = beat - interval '1 minute' WHERE id = %s RETURNING 1", first.process_id
    )
    assert other.bury().processes == 1
    life.clock.now += 1.0
    life.beat()
    until("the next life", lambda: life.owner.epoch > first.epoch)
    assert life.deaths == 1
    assert life.owner.process.process_id == first.process_id
    until("its lease", life.owner.holds)
    assert life.deaths == 1


def test_while_the_store_is_away_the_lease_runs_out_and_beating_goes_on() -> None:
    """Law: that is what a lease is for; nobody needs to tell."""
    away = Away()
    life = Life(away)  # type: ignore[arg-type]
    life.beat()
    until("several beats", lambda: away.tries > 3)
    assert not life.owner.holds()
    life.owner.leave()
    life.stop()


def test_waiting_for_the_lease_ends_with_the_renewal(life: Life) -> None:
    life.owner.register()
    life.clock.now += 100.0
    waiters = [gevent.spawn(life.owner.wait_until_held, 60.0) for _ in range(3)]
    gevent.idle()
    assert not any(waiter.ready() for waiter in waiters)
    life.beat()
    gevent.joinall(waiters, raise_error=True)


def test_waiting_for_the_lease_has_a_bound(pool: Database) -> None:
    owner = Owner(pool, SETTINGS, kind="gateway", label="test", on_dead=lambda: None)
    with pytest.raises(TooLate):
        owner.wait_until_held(0.05)


def test_leaving_frees_everything_and_is_safe_twice(life: Life, other: Actor) -> None:
    life.owner.register()
    process_id = life.owner.process.process_id
    life.owner.leave()
    life.owner.leave()
    assert not life.owner.holds()
    assert other.one("SELECT beat FROM processes WHERE id = %s", process_id) is None


def test_a_worker_is_a_worker(pool: Database, other: Actor) -> None:
    """Law: workers own no lanes, and no gateway hands one to them."""
    owner = Owner(pool, SETTINGS, kind="worker", label="test", on_dead=lambda: None)
    owner.register()
    assert other.one("SELECT kind FROM processes WHERE id = %s", owner.process.process_id) == "worker"
    assert other.beat() == 1


def beat_for(life: Life, seconds: int) -> None:
    """Let a beat arrive each second."""
    for _ in range(seconds):
        life.clock.now += 1.0
        life.owner._beat(life.clock.now)


def test_the_silent_are_declared_dead_by_one_that_has_been_heard_all_the_time(
    life: Life, other: Actor
) -> None:
    life.owner.register()
    beat_for(life, 5)
    other.fall_silent()

    life.owner.bury()

    assert other.one("SELECT beat FROM processes WHERE id = %s", other.id) is None


def test_after_an_outage_of_the_ledger_nobody_is_declared_dead(life: Life, other: Actor) -> None:
    """Law: everybody was silent and nobody died: no running turn counts a death for it, and no send is unknown."""
    life.owner.register()
    beat_for(life, 5)
    life.clock.now += 10.0
    other.fall_silent()
    life.owner.bury()
    beat_for(life, 1)

    life.owner.bury()

    assert other.one("SELECT beat FROM processes WHERE id = %s", other.id) is not None
    beat_for(life, 5)
    life.owner.bury()
    assert other.one("SELECT beat FROM processes WHERE id = %s", other.id) is None, (
        "but one that stays silent is"
    )


def test_a_newcomer_declares_nobody_dead(life: Life, other: Actor) -> None:
    """Law: it may be the first one back after an outage."""
    other.fall_silent()
    life.owner.register()

    life.owner.bury()

    assert other.one("SELECT beat FROM processes WHERE id = %s", other.id) is not None
