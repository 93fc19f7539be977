"""One row, from its claim to its honest end, whatever the channel, the lease and PostgreSQL do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest

from gateway.channels.base import PlatformAnswer
from gateway.channels.registry import CHANNELS
from gateway.domain.errors import Overloaded, StoreRefused, StoreUnavailable
from gateway.domain.outcome import NotSent, Outcome, RetryLater, Sent, Unknown
from gateway.settings.accounts import Account, SlackAccount
from gateway.settings.outbox import OutboxSettings
from gateway.settings.secret import Secret
from gateway.store.ledger.outbox import Finish, OutboxRow
from tests.workers.rows import row
from workers.executor import Executor

SETTINGS = OutboxSettings(send_timeout_s=7.0)
NOW_S, WALL_S = 1_000.0, 1_700_000_000.0


class ScriptedChannel:
    """Does what a test says, and keeps what it was handed."""

    def __init__(self, behaviour: Callable[[], Outcome]) -> None:
        self.sends: list[dict[str, Any]] = []
        self._behaviour = behaviour

    def send(self, client: object, account: Account, payload: dict[str, Any], **given: Any) -> Outcome:
        self.sends.append({"client": client, "account": account, "payload": payload, **given})
        return self._behaviour()


class Ledger:
    """Takes ends, after refusing as many of them as a test says."""

    def __init__(self, *refusals: Exception, ours: bool = True) -> None:
        self.finishes: list[Finish] = []
        self._refusals = list(refusals)
        self._ours = ours

    def finish(self, finish: Finish) -> bool:
        self.finishes.append(finish)
        if self._refusals:
            raise self._refusals.pop(0)
        return self._ours


def says(outcome: Outcome) -> Callable[[], Outcome]:
    return lambda: outcome


def crashes(error: BaseException) -> Callable[[], Outcome]:
    def behave() -> Outcome:
        raise error

    return behave


def execute(
    behaviour: Callable[[], Outcome],
    ledger: Ledger | None = None,
    *,
    claimed: OutboxRow | None = None,
    may_send: Callable[[OutboxRow], bool] = lambda _: True,
) -> tuple[ScriptedChannel, Ledger]:
    channel, ledger = ScriptedChannel(behaviour), ledger or Ledger()
    Executor(
        {"scripted": channel},  # type: ignore[dict-item]  # it only sends
        {("scripted", "shop"): Account(channel="scripted", name="shop", assistant="echo")},
        "the client",  # type: ignore[arg-type]  # handed through
        ledger.finish,
        SETTINGS,
        may_send=may_send,
        draw=lambda: 0.5,
        clock=lambda: NOW_S,
        wall_clock=lambda: WALL_S,
    ).execute(claimed or row())
    return channel, ledger


@pytest.mark.parametrize(
    ("outcome", "fate"),
    [
        (Sent("x"), "sent"),
        (NotSent("gone"), "not_sent"),
        (Unknown("cut"), "unknown"),
        (RetryLater("busy"), "retry"),
    ],
)
def test_what_became_of_it_is_written(outcome: Outcome, fate: str) -> None:
    """One send, one end."""
    channel, ledger = execute(says(outcome))
    assert len(channel.sends) == 1
    assert [finish.fate for finish in ledger.finishes] == [fate]


def test_a_channel_is_handed_all_that_it_needs() -> None:
    """The client, the account, the payload, a key that stays the same with each try, and one deadline."""
    claimed = row(attempts=3)
    channel, _ = execute(says(Sent()), claimed=claimed)
    [sent] = channel.sends
    assert (sent["client"], sent["account"].name, sent["payload"]) == ("the client", "shop", claimed.payload)
    assert sent["idempotency_key"] == f"outbox-{claimed.outbox_id}"
    assert sent["deadline"].expires_at == NOW_S + SETTINGS.send_timeout_s
    assert sent["now_s"] == WALL_S


def test_nothing_is_sent_outside_the_lease() -> None:
    """Asked for this very row, just before the send; the row goes back unsent."""
    asked: list[OutboxRow] = []

    def may_send(claimed: OutboxRow) -> bool:
        asked.append(claimed)
        return False

    claimed = row()
    channel, ledger = execute(says(Sent()), claimed=claimed, may_send=may_send)
    assert asked == [claimed]
    assert channel.sends == []
    assert (ledger.finishes[0].fate, ledger.finishes[0].reason) == ("retry", "lease_lost")


@pytest.mark.parametrize("gone", [{"account": "closed"}, {"channel": "pigeon"}])
def test_an_account_that_was_taken_out(gone: dict[str, str]) -> None:
    """Nobody can send it any more: a dead letter, not an endless retry."""
    channel, ledger = execute(says(Sent()), claimed=row(**gone))
    assert channel.sends == []
    assert (ledger.finishes[0].fate, ledger.finishes[0].reason) == ("not_sent", "account_gone")


def test_a_crash_of_our_own_is_unknown() -> None:
    """Bytes may have been on the wire.  The detail leads to the log by the trace id, and tells nothing of the text."""
    _, ledger = execute(crashes(ZeroDivisionError("secret words")), claimed=row(trace_id="ab" * 16))
    [finish] = ledger.finishes
    assert (finish.fate, finish.reason) == ("unknown", "crashed")
    assert "ab" * 16 in finish.detail
    assert "secret words" not in finish.detail


def test_a_killed_send_writes_no_end() -> None:
    """It is not known here what became of it; the ledger calls it unknown when this process leaves."""
    channel = ScriptedChannel(crashes(gevent.GreenletExit()))
    ledger = Ledger()
    executor = Executor(
        {"scripted": channel},  # type: ignore[dict-item]
        {("scripted", "shop"): Account(channel="scripted", name="shop", assistant="echo")},
        "the client",  # type: ignore[arg-type]
        ledger.finish,
        SETTINGS,
        may_send=lambda _: True,
    )
    with pytest.raises(gevent.GreenletExit):
        executor.execute(row())
    assert ledger.finishes == []


@pytest.mark.parametrize(
    "refusal",
    [
        StoreUnavailable("away", reason="postgres_unreachable", retry_after_s=1),
        Overloaded("busy", reason="ledger_busy", retry_after_s=1),
    ],
)
def test_an_end_is_written_until_it_is_taken(refusal: Exception) -> None:
    """A store that blinks must not make a sent row look unsent."""
    channel, ledger = execute(says(Sent("x")), Ledger(refusal, refusal))
    assert len(channel.sends) == 1
    assert [finish.fate for finish in ledger.finishes] == ["sent"] * 3


def test_an_end_that_cannot_be_written_is_written_without_its_words() -> None:
    """A platform's own words may be refused by PostgreSQL; that it was sent is written all the same."""
    refusal = StoreRefused("no", reason="store_refused")
    _, ledger = execute(says(Sent("\0")), Ledger(refusal))
    assert [(finish.fate, finish.platform_id) for finish in ledger.finishes] == [("sent", "\0"), ("sent", "")]


def test_a_row_that_is_no_longer_ours_is_left_alone() -> None:
    """One attempt to write, and no insisting: others have called its fate unknown."""
    _, ledger = execute(says(Sent("x")), Ledger(ours=False))
    assert len(ledger.finishes) == 1


def test_slack_by_the_executor() -> None:
    """With the real channel: what the platform answers ends in the row, its odd name for the message cleaned."""

    class Platform:
        def post(self, url: str, **_: object) -> PlatformAnswer:
            return PlatformAnswer(200, {}, b'{"ok": true, "ts": "1\\u00002"}')

    account = SlackAccount(channel="slack", name="shop", assistant="echo", bot_token=Secret("xoxb"))
    ledger = Ledger()
    Executor(
        CHANNELS, {("slack", "shop"): account}, Platform(), ledger.finish, SETTINGS, may_send=lambda _: True
    ).execute(
        row(channel="slack", payload={"via": "chat.postMessage", "body": {"channel": "C", "text": "x"}})
    )
    assert (ledger.finishes[0].fate, ledger.finishes[0].platform_id) == ("sent", "1\ufffd2")
