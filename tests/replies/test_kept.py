"""Answers kept for the next turn: taken for a response, and told as one reply with its own."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import gevent
import msgspec
import pytest
from gevent.event import Event

from gateway.channels.bots import Bot
from gateway.domain.capabilities import Capabilities
from gateway.domain.errors import StoreUnavailable
from gateway.domain.reply import Card, Image, Item, List, Part, Reply, Speech, Suggestions, Text
from gateway.replies.kept import KeptAnswers, kept_s, tellings
from gateway.replies.responses import Responses
from gateway.settings.accounts import Account, AlexaAccount, KeepingAccount
from gateway.store.ledger.kept import Kept
from tests.support.waiting import GUARD_S

SCREEN = Capabilities(
    shows=frozenset({"text", "card"}),
    answers_in_response=True,
    answer_by_s=5.0,
    turn_deadline_s=30.0,
    late="next_turn",
    redelivery="gives_up",
    text_chars_max=1_000,
)
VOICE = msgspec.structs.replace(SCREEN, shows=frozenset({"speech", "card"}))
ACCOUNT = AlexaAccount(
    channel="alexa", name="bot", assistant="any", kept="Here:", kept_again="Again:", kept_failed="None."
)


def kept(*parts: Part, number: int = 1, **how: Any) -> Kept:
    rest = {"state": "answered", "unasked": False, "maybe_repeat": False, "taken": True, **how}
    return Kept(outbox_id=number, turn_id=number, reply=Reply(parts), **rest)


def told(*several: Kept, own: Reply | None = None, table: Capabilities = SCREEN) -> tuple[Part, ...]:
    return whole(several, Reply((Text("own"),)) if own is None else own, table).parts


def whole(several: Sequence[Kept], own: Reply, table: Capabilities = SCREEN) -> Reply:
    """The reply that tells all there is."""
    return next(tellings(several, own, ACCOUNT, table, waits=True)).reply


def test_what_was_kept_comes_first_each_with_what_it_is() -> None:
    assert told(kept(Text("one")), kept(Text("two"), number=2)) == (
        Text("Here:"),
        Text("one"),
        Text("Here:"),
        Text("two"),
        Text("own"),
    )


def test_what_may_have_been_heard_says_so() -> None:
    assert told(kept(Text("one"), maybe_repeat=True)) == (Text("Again:"), Text("one"), Text("own"))


def test_what_nobody_asked_for_is_no_answer() -> None:
    assert told(kept(Text("the tea is ready"), unasked=True)) == (Text("the tea is ready"), Text("own"))


def test_what_nobody_asked_for_says_that_it_may_have_been_heard_too() -> None:
    rings = kept(Text("the tea is ready"), unasked=True, maybe_repeat=True)

    assert told(rings) == (Text("Again:"), Text("the tea is ready"), Text("own"))
    assert "asked" not in KeepingAccount(channel="c", name="n", assistant="a").kept_again


def test_where_there_is_no_answer_that_is_said_in_its_place() -> None:
    assert told(kept(Text("Sorry, try again"), state="failed")) == (Text("None."), Text("own"))


def test_a_reply_that_says_nothing_is_not_announced() -> None:
    assert told(kept()) == (Text("own"),)


def test_the_end_and_all_else_are_the_own_reply_s() -> None:
    own = Reply((Text("bye"),), end=True, locale="de-DE")
    reply = whole([kept(Text("one"))], own)

    assert (reply.end, reply.locale) == (True, "de-DE")


def test_of_several_the_latest_are_left_out_first_and_then_the_own() -> None:
    """Law: the earliest is told whatever else is not, unless the turn's own answer cannot wait."""
    several, own = [kept(Text("one")), kept(Text("two"), number=2)], Reply((Text("own"),))

    def choices(mine: Reply | None, *, waits: bool) -> list[tuple[int, bool]]:
        return [(each.kept, each.own) for each in tellings(several, mine, ACCOUNT, SCREEN, waits=waits)]

    assert choices(own, waits=True) == [(2, True), (1, True), (1, False)]
    assert choices(own, waits=False) == [(2, True), (1, True), (0, True)]
    assert choices(None, waits=False) == [(2, False), (1, False)]
    last = [*tellings(several, own, ACCOUNT, SCREEN, waits=True)][-1]
    assert last.reply.parts == (Text("Here:"), Text("one"), Text(ACCOUNT.later))


def test_what_can_be_said_next_is_about_what_was_told_last() -> None:
    """Law: old suggestions stand in for none that are newer, and none of them is read aloud."""
    old, new = Suggestions(("old",)), Suggestions(("new",))

    for table in (SCREEN, VOICE):
        assert told(kept(Text("one"), old), own=Reply((Text("own"), new)), table=table)[-1] == new
        parts = told(kept(Text("one"), old), table=table)
        assert [part for part in parts if isinstance(part, Suggestions)] == [old]
        assert "old" not in str([part for part in parts if part != old])


def test_a_picture_that_is_shown_is_not_described_aloud_beside_others_either() -> None:
    picture = Image("https://a.example/a.png", "a picture")

    assert told(kept(Text("one"), picture, Card("Title", image=picture)), table=VOICE) == (
        Speech("Here:"), Speech("one"), Speech("Title"), picture, Card("Title", image=picture), Speech("own"),
    )  # fmt: skip


def test_a_voice_says_of_each_what_it_would_say_of_it_alone() -> None:
    """Law: a reply without speech is said whole; beside one with speech it would have been shown and not said."""
    own = Reply((Speech("own, spoken"), Text("own, shown")))
    kept_one = kept(Text("one"), List((Item("a"), Item("b"))), Card("Title", "words"))

    assert told(kept_one, own=own, table=VOICE) == (
        Speech("Here:"),
        Speech("one"),
        Speech("1. a\n2. b"),
        Speech("Title\nwords"),
        Card("Title", "words"),
        Speech("own, spoken"),
        Text("own, shown"),
    )


def bot(late: str = "next_turn") -> Bot:
    surfaces = {"request": msgspec.structs.replace(SCREEN, late=late)}  # type: ignore[arg-type]
    return Bot(SimpleNamespace(surfaces=surfaces), ACCOUNT)  # type: ignore[arg-type]


def test_what_is_taken_is_known_to_be_in_this_process_s_hands() -> None:
    """Law: whoever looks for strays must not give back what is being told; what was told before is not ours."""
    held = Responses(lambda _: [])
    mine, others = kept(Text("a"), number=7, epoch=3), kept(Text("b"), number=8, taken=False, epoch=3)
    taking = KeptAnswers(lambda _: [mine, others], held.hold, lambda epoch: epoch == 3)

    assert taking.take(bot(), "request", 1) == [mine, others]
    assert (7 in held, 8 in held) == (True, False)


def test_what_was_taken_in_a_former_life_is_not_told() -> None:
    """Law: whoever slept may find it told by another; what it took is given up by the ledger, or found as a stray."""
    held = Responses(lambda _: [])
    taking = KeptAnswers(lambda _: [kept(Text("a"), number=7, epoch=3)], held.hold, lambda epoch: epoch == 4)

    assert taking.take(bot(), "request", 1) == []
    assert 7 not in held


def taking_with(tell: Any) -> KeptAnswers:
    return KeptAnswers(tell, lambda *_: None, lambda _: True)


def test_other_channels_are_not_asked() -> None:
    def never(_: int) -> list[Kept]:
        raise AssertionError("nothing is kept there")

    assert taking_with(never).take(bot("push"), "request", 1) == []


def test_an_answer_does_not_wait_for_a_ledger_that_is_away() -> None:
    def away(_: int) -> list[Kept]:
        raise StoreUnavailable("away", reason="away", retry_after_s=1)

    assert taking_with(away).take(bot(), "request", 1) == []


def test_nor_for_one_that_is_slow() -> None:
    slow = Event()
    taking = taking_with(lambda _: slow.wait(GUARD_S) or [])

    assert gevent.spawn(taking.take, bot(), "request", 1).get(timeout=GUARD_S / 2) == []


def test_somebody_else_s_timeout_is_not_swallowed() -> None:
    slow = Event()
    taking = taking_with(lambda _: slow.wait(GUARD_S) or [])

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        taking.take(bot(), "request", 1)


def test_how_long_is_the_account_s() -> None:
    assert kept_s(ACCOUNT) == 86_400.0
    assert kept_s(Account(channel="slack", name="bot", assistant="any")) == 0.0
