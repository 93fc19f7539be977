"""The runner: every turn that a lane brings comes to an end, and whoever waits is told."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import msgspec
import pytest

from gateway.assistants.preview import Delta
from gateway.channels.base import Rendered
from gateway.channels.bots import Bots
from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.errors import AssistantFailed, StoreRefused
from gateway.domain.reply import Reply, Text
from gateway.domain.turn import LaneKey, Settlement, Turn
from gateway.pipeline import Runner
from gateway.replies.responses import Responses
from gateway.replies.results import Results
from gateway.settings.accounts import Account
from gateway.store.ledger.outbox import Finish
from gateway.store.ledger.settle import Settled
from tests.lanes.lane_bench import turn as turn_of

LANE = LaneKey(1, 3, 1)
HERE = 1
NOW_S = 1_000.0
APOLOGY = "Sorry."


class Paper:
    """A platform that shows texts, one a message, and cannot show the word `unshowable`."""

    name = "slack"
    surfaces: ClassVar = {
        "event": Capabilities(
            shows=frozenset({"text"}),
            answers_in_response=True,
            answer_by_s=3.0,
            turn_deadline_s=30.0,
            late="push",
            redelivery="redelivers",
            text_chars_max=1_000,
        )
    }
    apologies_can_be_shown = True

    def render(self, reply: Reply, surface: str, address: dict[str, str], account: Account) -> Rendered:
        texts = [part.text for part in reply.parts if isinstance(part, Text)]
        if "unshowable" in texts or (APOLOGY in texts and not self.apologies_can_be_shown):
            raise ZeroDivisionError
        return Rendered(tuple({"text": text} for text in texts), degraded=("a part",))


class House:
    def __init__(self, **surface: Any) -> None:
        self.asked: list[tuple[Turn, LaneKey, Deadline]] = []
        self.answer: Callable[[], Reply] = lambda: Reply((Text("one"), Text("two")))
        self.previews: list[object] = []
        self.watched: list[tuple[Settlement, Settled]] = []
        self.noted: list[Finish] = []
        self.signed: list[str] = []
        self.channel = Paper()
        if surface:
            self.channel.surfaces = {"event": msgspec.structs.replace(Paper.surfaces["event"], **surface)}  # type: ignore[misc]
        account = Account(channel="slack", name="bot", assistant="any", apology=APOLOGY)
        self.results = Results(lambda _: [], lambda _: {}, lambda _: None, poll_s=60, clock=lambda: NOW_S)
        self.responses = Responses(self._write)
        self.runner = Runner(
            Bots({"slack": self.channel}, {("slack", "bot"): account}),  # type: ignore[dict-item]
            lambda name: SimpleNamespace(ask=self._ask),  # type: ignore[arg-type, return-value]
            self.results,
            self.responses,
            SimpleNamespace(
                preview=lambda _turn, preview: self.previews.append(preview),
                settled=lambda settlement, settled: self.watched.append((settlement, settled)),
            ),  # type: ignore[arg-type]
            signs=self,  # type: ignore[arg-type]
            deaths_max=3,
            process_id=lambda: HERE,
            clock=lambda: NOW_S,
        )

    def keep_up(self, bot: object, turn: Turn) -> Callable[[], None]:
        """Be the signs of life."""
        self.signed.append("begun")
        return lambda: self.signed.append("stopped")

    def run(self, **turn: Any) -> Settlement:
        return self.runner.run(LANE, msgspec.structs.replace(turn_of(1), **turn))

    def _ask(
        self, turn: Turn, lane: LaneKey, capabilities: Capabilities, deadline: Deadline, show: Any
    ) -> Reply:
        self.asked.append((turn, lane, deadline))
        self.signed.append("asked")
        show(Delta("o"))
        return self.answer()

    def _write(self, batch: Any) -> list[bool]:
        self.noted.extend(batch)
        return [True] * len(batch)


@pytest.fixture
def house() -> House:
    return House()


def raises(error: Exception) -> Callable[[], Reply]:
    def answer() -> Reply:
        raise error

    return answer


def test_an_answer_is_rendered_and_goes_its_way(house: House) -> None:
    settlement = house.run()
    assert (settlement.state, settlement.reason, settlement.degraded) == ("answered", "", ("a part",))
    assert [draft.payload for draft in settlement.outbox] == [{"text": "one"}, {"text": "two"}]
    assert {draft.kind for draft in settlement.outbox} == {"push"}, "nobody waits for it"


def test_a_caller_who_waits_takes_the_first_message(house: House) -> None:
    house.results.expect(turn_of(1).turn_id, NOW_S + 3)
    settlement = house.run()
    assert [(draft.kind, draft.claimed) for draft in settlement.outbox] == [
        ("response", True),
        ("push", False),
    ]


def test_the_assistant_has_what_is_left_of_the_turns_time(house: House) -> None:
    """Law: the turn's deadline counts from its message's commit, not from its turn in the lane."""
    settlement = house.run(age_s=20.0)
    ((turn, lane, deadline),) = house.asked
    assert (turn.seq, lane) == (1, LANE)
    assert deadline.expires_at == NOW_S + 10.0
    assert settlement.took_s == 20.0


def test_nobody_is_asked_for_a_turn_that_nobody_waits_for_any_more(house: House) -> None:
    settlement = house.run(age_s=30.0)
    assert (settlement.state, settlement.reason) == ("failed", "turn_expired")
    assert house.asked == []


@pytest.mark.parametrize(("deaths", "asked"), [(2, True), (3, False), (4, False)])
def test_a_turn_whose_processes_died_three_times_is_given_up(house: House, deaths: int, asked: bool) -> None:
    """Law: a message that kills processes would kill them all."""
    settlement = house.run(deaths=deaths)
    assert bool(house.asked) is asked
    if not asked:
        assert (settlement.state, settlement.reason) == ("failed", "poison")
        assert [draft.payload for draft in settlement.outbox] == [{"text": APOLOGY}]


def test_a_turn_that_cannot_be_read_is_given_up_with_an_apology(house: House) -> None:
    settlement = house.run(readable=False)
    assert (settlement.state, settlement.reason) == ("failed", "unreadable")
    assert [draft.payload for draft in settlement.outbox] == [{"text": APOLOGY}]
    assert house.asked == []


def test_an_assistant_that_failed_is_apologised_for(house: House) -> None:
    house.answer = raises(AssistantFailed("it was slow", reason="timeout"))
    settlement = house.run()
    assert (settlement.state, settlement.reason, settlement.detail) == ("failed", "timeout", "it was slow")
    assert [draft.payload for draft in settlement.outbox] == [{"text": APOLOGY}]


@pytest.mark.parametrize("where", ["asking", "rendering"])
def test_our_own_crash_is_this_turns_alone_and_leaves_its_trace(house: House, where: str) -> None:
    house.answer = raises(ZeroDivisionError()) if where == "asking" else lambda: Reply((Text("unshowable"),))
    settlement = house.run()
    assert (settlement.state, settlement.reason) == ("failed", "crashed")
    assert settlement.detail == f"ZeroDivisionError; trace {'0' * 32}"
    assert [draft.payload for draft in settlement.outbox] == [{"text": APOLOGY}]


def test_a_turn_whose_apology_cannot_be_rendered_ends_all_the_same(house: House) -> None:
    house.channel.apologies_can_be_shown = False
    house.answer = raises(AssistantFailed("it was slow", reason="timeout"))
    settlement = house.run()
    assert (settlement.state, settlement.reason, settlement.outbox) == ("failed", "timeout", ())
    assert "could not be rendered" in settlement.detail


def test_a_turn_of_an_account_that_is_gone_ends(house: House) -> None:
    settlement = house.run(account="gone")
    assert (settlement.state, settlement.reason, settlement.outbox) == ("failed", "unknown_account", ())


def test_an_answer_that_cannot_be_stored_is_apologised_for(house: House) -> None:
    settlement = house.runner.unstorable(turn_of(1), StoreRefused("no", reason="store_refused"))
    assert (settlement.state, settlement.reason) == ("failed", "store_refused")
    assert [draft.payload for draft in settlement.outbox] == [{"text": APOLOGY}]


@pytest.mark.parametrize("streams", [True, False])
def test_previews_are_shown_where_the_surface_streams(streams: bool) -> None:
    house = House(streams=streams)
    house.run()
    assert house.previews == ([Delta("o")] if streams else [])


# Telling


def test_whoever_promised_gets_the_row_and_the_process_knows_that_it_sends_it(house: House) -> None:
    caller = house.results.expect(turn_of(1).turn_id, NOW_S + 3)
    settlement = house.run()
    house.runner.settled(settlement, Settled(lost=False, outbox_ids=(41, 42)))
    told = caller.wait()
    assert told is not None
    assert (told.reply, told.outbox_ids) == (settlement.reply, (41,))
    assert 41 in house.responses
    assert 42 not in house.responses
    assert house.watched == [(settlement, Settled(lost=False, outbox_ids=(41, 42)))]


def test_a_row_whose_caller_left_after_its_promise_is_pushed(house: House) -> None:
    """Law: it was chosen for the response just before the settle; nobody is there to write it."""
    caller = house.results.expect(turn_of(1).turn_id, NOW_S + 3)
    settlement = house.run()
    house.results.forget(caller)
    house.runner.settled(settlement, Settled(lost=False, outbox_ids=(41, 42)))
    house.responses.flush()
    assert house.noted == [Finish(41, "push", reason="caller_left")]


def test_a_lost_answer_is_told_to_nobody_and_its_caller_may_look_elsewhere(house: House) -> None:
    caller = house.results.expect(turn_of(1).turn_id, NOW_S + 3)
    settlement = house.run()
    assert caller.promised
    house.runner.settled(settlement, Settled(lost=True))
    assert house.watched == []
    assert not caller.promised


@pytest.mark.parametrize("fails", [False, True])
def test_signs_of_life_end_before_the_answer_can_leave(fails: bool) -> None:
    """However the assistant ends: a sign behind the answer would promise another one."""
    house = House()
    if fails:
        house.answer = lambda: 1 / 0  # type: ignore[assignment, return-value]
    house.run()
    assert house.signed == ["begun", "asked", "stopped"]


def test_a_turn_that_nobody_is_asked_about_gives_no_sign() -> None:
    house = House()
    house.run(age_s=1_000.0)
    assert house.signed == []
