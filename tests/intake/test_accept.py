"""Intake: bounds before anything is written, a value for each message, and never longer than the platform waits."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway.domain.errors import Overloaded, StoreRefused, StoreUnavailable, SwitchboardError
from gateway.domain.message import Inbound
from gateway.domain.turn import LaneKey
from gateway.intake.accept import Intake, refusal
from gateway.settings.lanes import LaneSettings
from gateway.settings.outbox import OutboxSettings
from gateway.store.ledger.accept import Accepted, Arrival
from tests.support.actor import arrival
from tests.support.waiting import GUARD_S

NEW = Accepted("new", 1, 1, 1, LaneKey(1, 1, 1), None)


@pytest.fixture(autouse=True)
def _guard() -> Iterator[None]:
    with gevent.Timeout(GUARD_S):
        yield


class House:
    """An intake with a ledger, lanes and an outbox that are as full as the test wants."""

    def __init__(self, **lanes: Any) -> None:
        self.written: list[Arrival] = []
        self.outcomes: list[Accepted | SwitchboardError] = []
        self.gate = Event()
        self.gate.set()
        self.lanes_running = 0
        self.account_running = 0
        self.tenant_running = 0
        self.unsent: dict[tuple[str, str], int] = {}
        self.intake = Intake(
            self,
            self,
            lambda: self.unsent,
            lanes=LaneSettings(**lanes),
            outbox=OutboxSettings(),
            tenants={("slack", "bot"): "acme", ("slack", "twin"): "acme"},
        )

    def deliver(self, count: int = 1, account: str = "bot", within_s: float = GUARD_S) -> list[Any]:
        return self.intake.accept("slack", account, messages(count), "t" * 32, within_s)

    # The ledger

    def accept(self, arrivals: Sequence[Arrival]) -> list[Accepted | SwitchboardError]:
        self.written.extend(arrivals)
        self.gate.wait()
        return self.outcomes or [NEW] * len(arrivals)

    # The lanes

    def __len__(self) -> int:
        return self.lanes_running

    def running(self, channel: str, account: str) -> int:
        assert channel == "slack"
        return self.account_running if account == "bot" else 0

    def running_of(self, tenant: str) -> int:
        assert tenant == "acme"
        return self.tenant_running


def messages(count: int) -> list[Inbound]:
    return [arrival(f"{number}").inbound for number in range(count)]


def test_messages_reach_the_ledger_in_order_with_their_account_and_trace() -> None:
    house = House()
    assert house.deliver(3) == [NEW] * 3
    assert [(a.channel, a.account, a.inbound.message.text, a.trace_id) for a in house.written] == [
        ("slack", "bot", f"{number}", "t" * 32) for number in range(3)
    ]


@pytest.mark.parametrize(
    ("full", "setting"),
    [
        ({"lanes_running": 5}, r"lanes\.turns_in_flight_max"),
        ({"account_running": 3}, r"lanes\.account_turns_in_flight_max"),
        ({"tenant_running": 4}, r"lanes\.tenant_turns_in_flight_max"),
        ({"unsent": {("slack", "bot"): 10_000}}, r"outbox\.outbox_rows_per_account_max"),
    ],
)
def test_over_a_bound_nothing_is_written_and_the_refusal_names_the_setting(
    full: dict[str, Any], setting: str
) -> None:
    house = House(turns_in_flight_max=5, account_turns_in_flight_max=3, tenant_turns_in_flight_max=4)
    vars(house).update(full)
    with pytest.raises(Overloaded, match=setting) as raised:
        house.deliver()
    assert raised.value.retry_after_s > 0
    assert house.written == []


@pytest.mark.parametrize(("account_max", "reason"), [(2, "process_full"), (1, "account_full")])
def test_messages_on_their_way_into_the_ledger_count(account_max: int, reason: str) -> None:
    """Law: a thousand deliveries at the same moment are not under a bound because none of them runs yet."""
    house = House(turns_in_flight_max=2, account_turns_in_flight_max=account_max)
    house.gate.clear()
    entering = [gevent.spawn(house.deliver) for _ in range(account_max)]
    gevent.idle()
    with pytest.raises(Overloaded) as raised:
        house.deliver()
    assert raised.value.reason == reason
    house.gate.set()
    gevent.joinall(entering, raise_error=True)
    assert house.deliver() == [NEW]


def test_a_tenants_accounts_are_counted_together_and_the_others_are_not_touched() -> None:
    """Law: many accounts of one tenant have together what one would; and without the bound as much as there is."""
    house = House(tenant_turns_in_flight_max=1)
    house.gate.clear()
    entering = gevent.spawn(house.deliver, account="twin")
    gevent.idle()
    with pytest.raises(Overloaded) as raised:
        house.deliver()
    assert raised.value.reason == "tenant_full"
    house.gate.set()
    assert house.deliver(account="somebody else's") == [NEW]
    entering.join()
    assert house.deliver() == [NEW]

    boundless = House()
    boundless.tenant_running = 1_999
    assert boundless.deliver() == [NEW]


@pytest.mark.parametrize("end", ["killed", "too slow", "failed"])
def test_messages_that_did_not_get_in_are_counted_no_longer(end: str) -> None:
    house = House(turns_in_flight_max=1, account_turns_in_flight_max=1)
    house.gate.clear()
    entering = gevent.spawn(_quietly, house, 0.3 if end == "too slow" else GUARD_S)
    gevent.idle()
    if end == "killed":
        entering.kill()
    elif end == "failed":
        house.outcomes = [StoreUnavailable("gone", reason="gone", retry_after_s=1)]
        house.gate.set()
    entering.join()
    house.gate.set()
    house.outcomes = []
    assert house.deliver() == [NEW]


def test_another_account_is_not_refused_for_the_first_ones_replies() -> None:
    house = House()
    house.unsent = {("slack", "bot"): 10_000}
    house.account_running = 0
    intake = Intake(house, Nobody(), lambda: house.unsent, lanes=LaneSettings(), outbox=OutboxSettings())
    assert intake.accept("slack", "other", messages(1), "", GUARD_S) == [NEW]


class Nobody:
    """No lane runs."""

    def __len__(self) -> int:
        return 0

    def running(self, channel: str, account: str) -> int:
        return 0


def test_each_message_has_its_own_outcome() -> None:
    refused = Accepted("refused", 0, 0, 1, None, None)
    duplicate = Accepted("duplicate", 1, 1, 1, None, None)
    broken = StoreRefused("no", reason="store_refused")
    house = House()
    house.outcomes = [NEW, refused, broken, duplicate]
    taken = house.deliver(4)
    assert taken == [NEW, refused, broken, duplicate]
    assert [error and error.reason for error in map(refusal, taken)] == [
        None,
        "lane_full",
        "store_refused",
        None,
    ]
    full = refusal(refused)
    assert isinstance(full, Overloaded)
    assert "lanes.lane_waiting_max" in str(full)


def test_a_ledger_slower_than_the_platform_is_patient_is_unavailable() -> None:
    """Law: the platform gets its answer in time, and brings the delivery again."""
    house = House()
    house.gate.clear()
    started = time.monotonic()
    with pytest.raises(StoreUnavailable) as raised:
        house.deliver(within_s=0.3)
    assert raised.value.reason == "ledger_slow"
    assert time.monotonic() - started < 5


def test_a_delivery_that_was_late_already_gets_a_moment_all_the_same() -> None:
    """Law: else a slow minute would refuse what could be accepted at once."""
    assert House().deliver(within_s=-1.0) == [NEW]


def test_a_callers_own_timeout_passes() -> None:
    house = House()
    house.gate.clear()
    with pytest.raises(gevent.Timeout) as raised, gevent.Timeout(0.02) as patience:
        house.deliver()
    assert raised.value is patience


def _quietly(house: House, within_s: float) -> None:
    with contextlib.suppress(StoreUnavailable):
        house.deliver(within_s=within_s)
