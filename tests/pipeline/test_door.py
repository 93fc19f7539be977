"""The door: what becomes of a delivery of several messages, of which not every one gets in."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import gevent
import msgspec
import pytest

from gateway.channels.base import NO_PROOFS, Messages, Ordinary, Proofs, Receipt
from gateway.channels.bots import Bots
from gateway.domain.capabilities import Capabilities
from gateway.domain.errors import (
    NotUnderstood,
    Overloaded,
    StoreRefused,
    StoreUnavailable,
    SwitchboardError,
    TryLater,
    Unauthentic,
)
from gateway.domain.http import Request, Response
from gateway.domain.turn import LaneKey
from gateway.intake.accept import Intake
from gateway.intake.proofs import ProofKeeper
from gateway.pipeline import Door
from gateway.replies.kept import KeptAnswers
from gateway.replies.results import Results
from gateway.replies.signs import SignsOfLife
from gateway.settings.accounts import Account
from gateway.settings.lanes import LaneSettings
from gateway.settings.outbox import OutboxSettings
from gateway.store.ledger.accept import Accepted, Arrival
from tests.support.actor import arrival
from tests.support.waiting import until

_SURFACE = Capabilities(
    shows=frozenset({"text"}),
    answers_in_response=False,
    answer_by_s=3.0,
    turn_deadline_s=30.0,
    late="push",
    redelivery="redelivers",
    text_chars_max=1_000,
)


def _no_fetch(*_: object) -> bytes:
    raise AssertionError("nobody asked for a document")


class Batches(Ordinary):
    """A platform that brings several messages in a delivery: one a line of the body."""

    name = "batches"
    surfaces: ClassVar = {
        "event": _SURFACE,
        "call": msgspec.structs.replace(_SURFACE, answers_in_response=True, alive_after_s=3_600.0),
    }

    def verify(self, request: Request, account: Account, now_s: float, proofs: Proofs = NO_PROOFS) -> None:
        if request.body.startswith(b"forged"):
            raise Unauthentic("who are you", reason="signature")

    def parse(self, request: Request, account: Account, now_s: float) -> Messages:
        if request.body.startswith(b"crash"):
            raise ZeroDivisionError
        if request.body.startswith(b"strange"):
            raise NotUnderstood("what is this", reason="strange")
        lines = request.body.decode().split()
        surface = "call" if "call" in lines else "event"
        inbound = [arrival(line, lane=line).inbound for line in lines]
        # What a platform does something with: "I am on it".
        sign = Response(200, b"on it") if "sign" in lines else None
        said = tuple(
            msgspec.structs.replace(one, surface=surface) for one in inbound if one.message.text != "sign"
        )
        return Messages(said, sign)

    def accepted(self, receipts: Sequence[Receipt]) -> Response:
        return Response(200, msgspec.json.encode([receipt.seq for receipt in receipts]))

    def refuse(self, surface: str | None, account: Account, error: TryLater) -> Response:
        return Response(503, error.reason.encode())


class House:
    """A door with all that is behind it in the test's hands."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Accepted | SwitchboardError] = {}
        self.granted: list[tuple[int, int]] = []
        self.watched: list[int] = []
        self.kept: list[dict[str, Any]] = []
        self.keep_error: Exception | None = None
        account = Account(channel="batches", name="bot", assistant="any")
        self.results = Results(lambda _: [], lambda _: {}, lambda _: None, poll_s=60)
        intake = Intake(
            SimpleNamespace(accept=self._accept),  # type: ignore[arg-type]
            _Nothing(),
            dict,
            lanes=LaneSettings(),
            outbox=OutboxSettings(),
        )
        self.signs = SignsOfLife(SimpleNamespace())  # type: ignore[arg-type]
        self.door = Door(
            Bots({"batches": Batches()}, {("batches", "bot"): account}),  # type: ignore[dict-item]
            intake,
            SimpleNamespace(grant=self._grant),  # type: ignore[arg-type]
            self.results,
            SimpleNamespace(),  # type: ignore[arg-type]
            SimpleNamespace(accepted=lambda one: self.watched.append(one.turn_id)),  # type: ignore[arg-type]
            proofs=ProofKeeper(_no_fetch),
            signs=self.signs,
            kept=KeptAnswers(lambda _: [], lambda *_: None, lambda _: True),
            keep_delivery=self._keep,
            new_trace_id=lambda: "0" * 32,
        )

    def deliver(self, body: str) -> tuple[int, str]:
        response = self.door.receive("batches", "bot", request(body))
        return response.status, response.body.decode()

    def _accept(self, arrivals: Sequence[Arrival]) -> list[Any]:
        return [self.outcomes[one.inbound.message.text] for one in arrivals]

    def _grant(self, lane: LaneKey, account: tuple[str, str], head: object) -> None:
        assert account == ("batches", "bot")
        self.granted.append((lane.conversation_id, lane.fence))

    def _keep(self, **delivery: Any) -> int:
        if self.keep_error is not None:
            raise self.keep_error
        self.kept.append(delivery)
        return len(self.kept)


class _Nothing:
    def __len__(self) -> int:
        return 0

    def running(self, channel: str, account: str) -> int:
        return 0


def request(body: str) -> Request:
    return Request(
        method="POST",
        path="/hooks/batches/bot",
        query="",
        headers={"content-type": "text/plain"},
        body=body.encode(),
    )


def accepted(number: int, outcome: Any = "new") -> Accepted:
    return Accepted(outcome, number, number, number, LaneKey(number, 1, 1), None)


def later(error: type[TryLater] = StoreUnavailable) -> TryLater:
    return error("later", reason=error.__name__, retry_after_s=1)


@pytest.fixture
def house() -> House:
    return House()


def test_all_in_is_accepted_and_every_lane_is_started(house: House) -> None:
    house.outcomes = {"a": accepted(1), "b": accepted(2, "duplicate"), "c": accepted(3)}
    assert house.deliver("a b c") == (200, "[1,2,3]")
    assert house.granted == [(1, 1), (2, 1), (3, 1)]
    assert house.watched == [1, 2, 3]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Accepted("refused", 0, 0, 9, LaneKey(9, 1, 1), None), "lane_full"),
        (later(StoreUnavailable), "StoreUnavailable"),
        (later(Overloaded), "Overloaded"),
    ],
)
def test_one_that_is_not_in_refuses_the_delivery_and_starts_the_lanes_of_the_others(
    house: House, outcome: Any, reason: str
) -> None:
    """Law: the platform brings it again, and what is in answers as a duplicate; but it runs now, not then."""
    house.outcomes = {"a": accepted(1), "b": outcome, "c": accepted(3)}
    assert house.deliver("a b c") == (503, reason)
    assert {(1, 1), (3, 1)} <= set(house.granted)
    assert house.watched == [1, 3]
    assert house.kept == []


def test_one_that_cannot_be_stored_keeps_the_delivery_and_starts_the_lanes_of_the_others(
    house: House,
) -> None:
    """Law: bringing it again will not help, so it is accepted, whole, as a dead letter."""
    house.outcomes = {"a": accepted(1), "b": StoreRefused("no", reason="store_refused")}
    assert house.deliver("a b")[0] == 200
    assert house.granted == [(1, 1)]
    assert [(one["reason"], one["body"]) for one in house.kept] == [("store_refused", b"a b")]


def test_try_later_comes_before_refused_whatever_their_order(house: House) -> None:
    """Law: a 2xx for the one would lose the other, which was neither stored nor kept."""
    house.outcomes = {"a": StoreRefused("no", reason="store_refused"), "b": later()}
    assert house.deliver("a b") == (503, "StoreUnavailable")
    assert house.kept == []


def test_a_caller_whose_delivery_was_refused_waits_for_nothing(house: House) -> None:
    house.outcomes = {"call": accepted(1), "b": later()}
    assert house.deliver("call b")[0] == 503
    assert len(house.results) == 0


def test_a_sign_of_life_ends_with_the_waiting_however_that_ends(house: House) -> None:
    """Law: one that comes behind the answer promises another."""
    house.outcomes = {"call": accepted(1)}
    caller = gevent.spawn(house.deliver, "call")
    until("it to wait", lambda: len(house.signs) == 1)
    caller.kill()

    until("the sign to be taken back", lambda: len(house.signs) == 0)


def test_where_nobody_waits_there_is_no_sign_of_life_to_come_late() -> None:
    with pytest.raises(ValueError, match="answers_in_response"):
        msgspec.structs.replace(_SURFACE, alive_after_s=1.0)


@pytest.mark.parametrize("outcome", ["new", "duplicate"])
def test_an_acknowledgement_of_the_platforms_own_is_what_the_2xx_says(house: House, outcome: str) -> None:
    """Law: of a repeat as well, because the first one may have been lost."""
    house.outcomes = {"b": accepted(2, outcome)}
    assert house.deliver("sign b") == (200, "on it")


def test_an_acknowledgement_is_never_given_for_what_is_not_committed(house: House) -> None:
    house.outcomes = {"b": later()}
    assert house.deliver("sign b") == (503, "StoreUnavailable")


def test_a_delivery_without_a_message_may_be_acknowledged_too(house: House) -> None:
    """A tap that is nothing to us has to be taken all the same."""
    assert house.deliver("") == (200, "[]")
    assert house.deliver("sign") == (200, "on it")


@pytest.mark.parametrize(("body", "reason"), [("strange", "strange"), ("crash", "crashed")])
def test_what_cannot_be_read_is_kept_whole_and_accepted(house: House, body: str, reason: str) -> None:
    assert house.deliver(body)[0] == 200
    assert [(one["reason"], one["body"], one["content_type"]) for one in house.kept] == [
        (reason, body.encode(), "text/plain")
    ]


@pytest.mark.parametrize("body", ["strange", "bad"])
def test_what_can_neither_be_read_nor_kept_is_not_accepted(house: House, body: str) -> None:
    """Law: a 2xx only for what is in the ledger, in one form or another."""
    house.outcomes = {"bad": StoreRefused("no", reason="store_refused")}
    house.keep_error = later()
    assert house.deliver(body) == (503, "StoreUnavailable")


def test_what_is_forged_is_neither_kept_nor_accepted(house: House) -> None:
    with pytest.raises(Unauthentic):
        house.deliver("forged")
    assert (house.kept, house.granted) == ([], [])


def test_an_empty_delivery_is_accepted(house: House) -> None:
    assert house.deliver("") == (200, "[]")
