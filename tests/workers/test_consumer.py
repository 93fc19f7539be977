"""The loop that claims: never more than it can start, at once when there is reason to look, no more when stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Empty, Queue

from gateway.domain.errors import StoreUnavailable
from gateway.settings.outbox import OutboxSettings
from gateway.store.ledger.outbox import OutboxRow
from tests.support.waiting import until
from tests.workers.rows import row
from workers.consumer import Consumer

GUARD_S = 10.0
#: So long that a look within the guard cannot be the poll's.
NEVER_S = 600.0


class Ledger:
    """Gives out the rows that wait, and keeps how many it was asked for."""

    def __init__(self) -> None:
        self.waiting: list[OutboxRow] = []
        self.asked: Queue[int] = Queue()
        self.failure: Exception | None = None
        #: Cleared: an answer is on its way, and does not arrive before it is set.
        self.answers = Event()
        self.answers.set()

    def claim(self, rows_max: int) -> list[OutboxRow]:
        self.asked.put(rows_max)
        self.answers.wait()
        if self.failure:
            raise self.failure
        given, self.waiting = self.waiting[:rows_max], self.waiting[rows_max:]
        return given

    def wait_asked(self) -> int:
        return self.asked.get(timeout=GUARD_S)

    def assert_not_asked(self) -> None:
        gevent.idle()
        with pytest.raises(Empty):
            self.asked.get_nowait()


class Sends:
    """Sends that go on until the test ends them."""

    def __init__(self) -> None:
        self.started: list[OutboxRow] = []
        self.crash: Exception | None = None
        self._ends: dict[int, Event] = {}

    def execute(self, claimed: OutboxRow) -> None:
        self.started.append(claimed)
        self._ends[claimed.outbox_id] = Event()
        self._ends[claimed.outbox_id].wait()
        if self.crash:
            raise self.crash

    def end(self, claimed: OutboxRow) -> None:
        self._ends[claimed.outbox_id].set()

    def wait_started(self, count: int) -> None:
        until(f"{count} sends", lambda: len(self.started) == count)


Build = Callable[..., Consumer]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def sends() -> Sends:
    return Sends()


@pytest.fixture
def run(ledger: Ledger, sends: Sends) -> Iterator[Build]:
    """Return a function that starts a consumer; it is stopped with the test."""
    greenlets = []

    def build(*, holds: Callable[[], bool] = lambda: True, **changes: float) -> Consumer:
        settings = OutboxSettings(
            **{"poll_s": NEVER_S, "claim_rows_max": 4, "sends_in_flight_max": 6, **changes}
        )
        consumer = Consumer(ledger.claim, sends.execute, settings, holds=holds)
        greenlets.append(gevent.spawn(consumer.consume_forever))
        return consumer

    yield build
    gevent.killall(greenlets)


def test_rows_are_started_in_the_order_of_the_claim(run: Build, ledger: Ledger, sends: Sends) -> None:
    """All beside one another: a slow one holds back nobody."""
    ledger.waiting = [row() for _ in range(3)]
    wanted = list(ledger.waiting)
    consumer = run()
    sends.wait_started(3)
    assert sends.started == wanted
    assert len(consumer) == 3
    assert all(claimed.outbox_id in consumer for claimed in wanted)


def test_no_more_is_claimed_than_can_be_started(run: Build, ledger: Ledger, sends: Sends) -> None:
    """First a whole claim, then what there is room for, then nothing until a send has ended."""
    ledger.waiting = [row() for _ in range(20)]
    consumer = run()
    sends.wait_started(6)
    assert [ledger.wait_asked(), ledger.wait_asked()] == [4, 2]
    consumer.hint()
    ledger.assert_not_asked()
    sends.end(sends.started[0])
    assert ledger.wait_asked() == 1
    sends.wait_started(7)
    assert len(consumer) == 6


def test_a_full_claim_is_followed_by_another(run: Build, ledger: Ledger, sends: Sends) -> None:
    """Where four came there may be more: no poll lies between."""
    ledger.waiting = [row() for _ in range(5)]
    run()
    sends.wait_started(5)


def test_an_end_lets_it_look_at_once(run: Build, ledger: Ledger, sends: Sends) -> None:
    """The next row of the same conversation may be free now."""
    ledger.waiting = [row()]
    run()
    sends.wait_started(1)
    ledger.waiting = [row()]
    sends.end(sends.started[0])
    sends.wait_started(2)


def test_a_hint_lets_it_look_at_once(run: Build, ledger: Ledger, sends: Sends) -> None:
    """A gateway said that there is something."""
    consumer = run()
    ledger.wait_asked()
    ledger.waiting = [row()]
    consumer.hint()
    sends.wait_started(1)


def test_without_a_hint_it_polls(run: Build, ledger: Ledger, sends: Sends) -> None:
    """Redis is not needed."""
    run(poll_s=0.01)
    ledger.wait_asked()
    ledger.waiting = [row()]
    sends.wait_started(1)


def test_nothing_is_claimed_without_a_lease(run: Build, ledger: Ledger, sends: Sends) -> None:
    """A claim that could not be sent would only hold the row."""
    held = False
    consumer = run(holds=lambda: held)
    ledger.waiting = [row()]
    consumer.hint()
    ledger.assert_not_asked()
    held = True
    consumer.hint()
    sends.wait_started(1)


def test_a_ledger_that_is_away_is_asked_again(run: Build, ledger: Ledger, sends: Sends) -> None:
    """The loop survives it."""
    ledger.failure = StoreUnavailable("away", reason="postgres_unreachable", retry_after_s=1)
    consumer = run()
    ledger.wait_asked()
    ledger.failure = None
    ledger.waiting = [row()]
    consumer.hint()
    sends.wait_started(1)


def test_a_row_is_known_until_its_end(run: Build, ledger: Ledger, sends: Sends) -> None:
    """What is known is not given back as a stray; after a normal end nobody need know it."""
    ledger.waiting = [row()]
    consumer = run()
    sends.wait_started(1)
    [claimed] = sends.started
    sends.end(claimed)
    until("the end of the send", lambda: len(consumer) == 0)
    assert claimed.outbox_id not in consumer


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_send_that_crashed_stays_known(run: Build, ledger: Ledger, sends: Sends) -> None:
    """It may have been sent: given back as a stray, it would go out again."""
    sends.crash = ZeroDivisionError("as told")
    ledger.waiting = [row()]
    consumer = run()
    sends.wait_started(1)
    sends.end(sends.started[0])
    until("the end of the send", lambda: len(consumer) == 0)
    assert sends.started[0].outbox_id in consumer


def test_the_next_try_of_a_row_is_known_although_the_last_one_ends(
    run: Build, ledger: Ledger, sends: Sends
) -> None:
    """The next try may be claimed before the last one has heard of its end."""
    again = row()
    ledger.waiting = [again]
    consumer = run()
    sends.wait_started(1)
    first_end = sends._ends[again.outbox_id]
    ledger.waiting = [again]
    consumer.hint()
    sends.wait_started(2)
    first_end.set()
    until("the end of the first", lambda: len(consumer) == 1)
    assert again.outbox_id in consumer
    sends.end(again)
    until("the end of the second", lambda: len(consumer) == 0)
    assert again.outbox_id not in consumer


def test_stop_waits_for_running_sends_and_claims_no_more(run: Build, ledger: Ledger, sends: Sends) -> None:
    """Sends end by themselves; new ones are others' business."""
    ledger.waiting = [row()]
    consumer = run()
    sends.wait_started(1)
    while not ledger.asked.empty():
        ledger.asked.get()
    stopping = gevent.spawn(consumer.stop, time.monotonic() + GUARD_S)
    gevent.idle()
    assert not stopping.ready()
    ledger.waiting = [row()]
    sends.end(sends.started[0])
    assert stopping.get(timeout=GUARD_S) is True
    assert consumer.stop(time.monotonic()) is True, "safe twice"
    ledger.assert_not_asked()
    assert len(sends.started) == 1


def test_stop_gives_up_at_its_deadline(run: Build, ledger: Ledger, sends: Sends) -> None:
    """And says that something is left."""
    ledger.waiting = [row()]
    consumer = run()
    sends.wait_started(1)
    assert consumer.stop(time.monotonic() + 0.05) is False


def test_stop_is_safe_if_never_started(ledger: Ledger, sends: Sends) -> None:
    consumer = Consumer(ledger.claim, sends.execute, OutboxSettings(), holds=lambda: True)
    assert consumer.stop(time.monotonic()) is True


def test_a_stop_waits_for_what_a_claim_under_way_brings(run: Build, ledger: Ledger, sends: Sends) -> None:
    """In the ledger the rows are being sent already: left there unsent they would be dead letters of unknown fate."""
    ledger.waiting = [row()]
    ledger.answers.clear()
    consumer = run()
    ledger.wait_asked()
    stopped = gevent.spawn(consumer.stop, time.monotonic() + GUARD_S)
    gevent.idle()
    assert not stopped.dead, "it would leave the ledger while the claim is under way"
    ledger.answers.set()
    sends.wait_started(1)
    sends.end(sends.started[0])
    assert stopped.get(timeout=GUARD_S) is True


def test_a_stop_does_not_wait_for_a_claim_beyond_its_deadline(run: Build, ledger: Ledger) -> None:
    ledger.answers.clear()
    consumer = run()
    ledger.wait_asked()
    assert consumer.stop(time.monotonic() + 0.05) is False
