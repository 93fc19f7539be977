"""One reply, from its taking to its honest end, whatever the channel, the lease and the platform's limits do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest

from gateway.channels.base import PlatformAnswer
from gateway.channels.registry import CHANNELS
from gateway.domain.deadline import Deadline
from gateway.domain.errors import Overloaded, StoreUnavailable
from gateway.domain.job import Done, JobOutcome, Retry, Snooze
from gateway.domain.outcome import NotSent, Outcome, RetryLater, Sent, Unknown
from gateway.domain.quota import Scope
from gateway.replies.limits import Limits
from gateway.replies.sending import Sender
from gateway.settings.accounts import Account, SlackAccount
from gateway.settings.outbox import OutboxSettings
from gateway.settings.secret import Secret
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.store.ledger.outbox import Finish, Taking
from gateway.store.rate_limits import RateLimits
from tests.support.handling import job
from tests.workers.rows import row
from workers.context import Context, Tools
from workers.handlers.reply_send import SendReply, reply_send
from workers.registry import UNBOUNDED, handlers

NOW_S, WALL_S = 1_000.0, 1_700_000_000.0
SETTINGS = Settings(
    home=Path("/nonexistent"),
    accounts={
        ("scripted", "shop"): Account(channel="scripted", name="shop", assistant="echo"),
        ("slack", "shop"): SlackAccount(
            channel="slack", name="shop", assistant="echo", bot_token=Secret("xoxb")
        ),
    },
    assistants={},
    outbox=OutboxSettings(send_timeout_s=7.0, backoff_base_s=2.0),
)
HANDLER = handlers()["reply.send"]


class ScriptedChannel:
    """Does what a test says, and keeps what it was handed."""

    def __init__(
        self, behaviour: Callable[[], Outcome], scopes: tuple[Scope, ...] | Callable[[], Any]
    ) -> None:
        self.sends: list[dict[str, Any]] = []
        self._behaviour = behaviour
        self._scopes = scopes

    def scopes(self, payload: dict[str, Any], account: Account) -> tuple[Scope, ...]:
        return self._scopes() if callable(self._scopes) else self._scopes

    def send(self, client: object, account: Account, payload: dict[str, Any], **given: Any) -> Outcome:
        self.sends.append({"client": client, "account": account, "payload": payload, **given})
        return self._behaviour()


class Hands:
    """Gives what a test has in them, and keeps the ends."""

    def __init__(self, taking: Taking | Exception, *, ours: bool) -> None:
        self.ends: list[Finish] = []
        self.put_ends: list[Finish] = []
        self._taking = taking
        self._ours = ours

    def take(self, outbox_id: int) -> Taking:
        if isinstance(self._taking, Exception):
            raise self._taking
        return self._taking

    def end(self, finish: Finish) -> bool:
        self.ends.append(finish)
        return self._ours

    def put(self, finish: Finish) -> None:
        self.put_ends.append(finish)


class Owner:
    """Whether this process may act, and in which epoch."""

    def __init__(self, *, held: bool = True, epoch: int = 1) -> None:
        self.held, self.epoch = held, epoch

    def holds(self) -> bool:
        return self.held


class Bench:
    """A worker's tools in the hands of a test: no stores, and a clock that stands still."""

    def __init__(
        self,
        behaviour: Callable[[], Outcome] = Sent,
        *,
        scopes: tuple[Scope, ...] | Callable[[], Any] = (),
        taking: Taking | Exception | None = None,
        ours: bool = True,
        owner: Owner | None = None,
        **changes: object,
    ) -> None:
        self.row = row(**changes)
        self.channel = ScriptedChannel(behaviour, scopes)
        self.hands = Hands(taking or Taking("taken", self.row), ours=ours)
        self.now = NOW_S
        nowhere = RateLimits(StoreSettings(redis_url=Secret("unix:///nonexistent/redis")))
        self.limits = Limits(nowhere, share=lambda: 1.0, clock=lambda: self.now)
        self.client: Any = "the client"
        self.sharers: list[str] = []
        self._owner: Any = owner or Owner()

    def _platform(self, sharer: str) -> Any:
        self.sharers.append(sharer)
        return self.client

    def run(self, deadline_s: float = 600.0) -> JobOutcome:
        nothing: Any = None
        channels: Any = {**CHANNELS, "scripted": self.channel}
        hands: Any = self.hands
        tools = Tools(
            settings=SETTINGS,
            database=nothing,
            owner=self._owner,
            rpc=nothing,
            channels=channels,
            jobs=nothing,
            signals=nothing,
            sends=hands,
            sender=Sender(
                SETTINGS,
                channels,
                self.limits,
                self._platform,
                lives=lambda epoch: self._owner.held and epoch == self._owner.epoch,
                clock=lambda: self.now,
                wall_clock=lambda: WALL_S,
                draw=lambda: 0.5,
            ),
            clock=lambda: self.now,
            wall_clock=lambda: WALL_S,
            draw=lambda: 0.5,
        )
        payload = SendReply(self.row.outbox_id)
        context = Context(job(HANDLER, payload), Deadline(NOW_S + deadline_s), tools, lambda *_: None)
        return reply_send(context, payload)


def says(outcome: Outcome) -> Callable[[], Outcome]:
    return lambda: outcome


def raises(error: BaseException) -> Callable[[], Any]:
    def behave() -> Any:
        raise error

    return behave


# The kind


def test_its_payload_is_what_the_ledger_writes() -> None:
    assert HANDLER.decode('{"outbox_id":7}') == SendReply(7)


def test_its_tries_are_the_rows_and_its_bound_is_a_setting() -> None:
    """Law: a send goes on when the lease is lost, because its fate is recorded by the row's own epoch."""
    assert HANDLER.attempts_max == UNBOUNDED
    assert HANDLER.on_lease_lost == "finish"
    several = msgspec.structs.replace(SETTINGS, outbox=OutboxSettings(sends_in_flight_max=3))
    assert HANDLER.bound(several) == 3


# What is found instead of a row to be sent


@pytest.mark.parametrize(
    ("taking", "outcome"),
    [
        (Taking("ended"), Done()),
        (Taking("earlier"), Snooze(WALL_S + 0.2, "earlier")),
        (Taking("early", wait_s=9.5), Retry("early", after_s=9.5, counted=False)),
        (Taking("elsewhere"), Retry("elsewhere", after_s=0.2, counted=False)),
        (Taking("dead"), Retry("dead", after_s=0.2, counted=False)),
        (
            StoreUnavailable("away", reason="postgres_unreachable", retry_after_s=1),
            Retry("postgres_unreachable", after_s=0.2, counted=False),
        ),
        (
            Overloaded("busy", reason="ledger_busy", retry_after_s=1),
            Retry("ledger_busy", after_s=0.2, counted=False),
        ),
    ],
)
def test_a_job_is_done_only_when_its_row_has_ended(taking: Taking | Exception, outcome: JobOutcome) -> None:
    """Law: nothing is sent, no try is counted, and who waits for an earlier reply lets its job go first."""
    bench = Bench(taking=taking)
    assert bench.run() == outcome
    assert bench.channel.sends == bench.hands.ends == []


# A send


@pytest.mark.parametrize(
    ("outcome", "fate", "then"),
    [
        (Sent("x"), "sent", Done()),
        (NotSent("gone"), "not_sent", Done()),
        (Unknown("cut"), "unknown", Retry("cut", after_s=0.0, counted=False)),
        (RetryLater("busy", "why"), "retry", Retry("busy", "why", after_s=1.0)),
    ],
)
def test_what_became_of_it_is_written(outcome: Outcome, fate: str, then: JobOutcome) -> None:
    """One send, one end; and of an unknown one the ledger is asked whether it wants it sent again, marked."""
    bench = Bench(says(outcome))
    assert bench.run() == then
    assert len(bench.channel.sends) == 1
    assert [finish.fate for finish in bench.hands.ends] == [fate]


def test_a_channel_is_handed_all_that_it_needs() -> None:
    """The client, the account, the payload, a key that stays the same with each try, and one deadline."""
    bench = Bench(says(Sent()), attempts=3)
    bench.run()
    [sent] = bench.channel.sends
    # For whom it is sent: an account that names no tenant is a tenant by itself.
    assert bench.sharers == [f"{bench.row.channel}/shop"]
    assert (sent["client"], sent["account"].name, sent["payload"]) == (
        "the client",
        "shop",
        bench.row.payload,
    )
    assert sent["idempotency_key"] == f"outbox-{bench.row.outbox_id}"
    assert sent["deadline"].expires_at == NOW_S + 7.0
    assert sent["now_s"] == WALL_S


def test_time_is_left_to_write_the_end() -> None:
    """Law: a send does not use up the time limit of its job, or nobody could say what became of it."""
    bench = Bench(says(Sent()))
    bench.run(deadline_s=9.0)
    assert bench.channel.sends[0]["deadline"].expires_at == NOW_S + 4.0


@pytest.mark.parametrize("owner", [Owner(held=False), Owner(epoch=2)], ids=["lease out", "another life"])
def test_nothing_is_sent_outside_the_lease(owner: Owner) -> None:
    """Law: the row goes back unsent, and that was no try; of an earlier life it is not even ours to give back."""
    bench = Bench(owner=owner)
    outcome = bench.run()
    assert bench.channel.sends == []
    [finish] = bench.hands.ends
    assert (finish.fate, finish.reason, finish.epoch) == ("wait", "lease_lost", 1)
    assert isinstance(outcome, Retry)
    assert not outcome.counted


@pytest.mark.parametrize("gone", [{"account": "closed"}, {"channel": "pigeon"}])
def test_an_account_that_was_taken_out(gone: dict[str, str]) -> None:
    """Nobody can send it any more: a dead letter, not an endless retry."""
    bench = Bench(**gone)  # type: ignore[arg-type]  # fields of the row
    assert bench.run() == Done()
    assert bench.channel.sends == []
    assert (bench.hands.ends[0].fate, bench.hands.ends[0].reason) == ("not_sent", "account_gone")


def test_a_crash_of_our_own_is_unknown() -> None:
    """Bytes may have been on the wire.  The detail leads to the log by the trace id, and tells nothing of the text."""
    bench = Bench(raises(ZeroDivisionError("secret words")), trace_id="ab" * 16)
    bench.run()
    [finish] = bench.hands.ends
    assert (finish.fate, finish.reason) == ("unknown", "crashed")
    assert "ab" * 16 in finish.detail
    assert "secret words" not in finish.detail


def test_a_send_that_is_cut_off_is_unknown() -> None:
    """Law: what was cut may have been sent; its end is written behind the back of the job, which is over."""
    bench = Bench(raises(gevent.GreenletExit()))
    with pytest.raises(gevent.GreenletExit):
        bench.run()
    assert bench.hands.ends == []
    [finish] = bench.hands.put_ends
    assert (finish.fate, finish.reason, finish.epoch) == ("unknown", "cut_off", bench.row.epoch)


def test_what_is_cut_off_before_its_send_was_not_sent() -> None:
    """Law: and it was no try."""
    bench = Bench(scopes=raises(gevent.GreenletExit()))
    with pytest.raises(gevent.GreenletExit):
        bench.run()
    [finish] = bench.hands.put_ends
    assert (finish.fate, finish.epoch) == ("wait", bench.row.epoch)
    assert bench.channel.sends == []


def test_a_crash_of_our_own_before_the_send_is_tried_again() -> None:
    """Law: it was certainly not sent; as often as any other reply, and then the last reason is told."""
    bench = Bench(scopes=raises(KeyError("secret words")), trace_id="ab" * 16)
    assert isinstance(bench.run(), Retry)
    [finish] = bench.hands.ends
    assert (finish.fate, finish.reason) == ("retry", "crashed")
    assert "ab" * 16 in finish.detail
    assert "secret words" not in finish.detail
    assert bench.channel.sends == []


def test_a_row_that_is_no_longer_ours_is_left_alone() -> None:
    """One attempt to write, and no insisting: others have called its fate unknown; the job looks what that was."""
    bench = Bench(says(Sent("x")), ours=False)
    outcome = bench.run()
    assert len(bench.hands.ends) == 1
    assert isinstance(outcome, Retry)
    assert (outcome.after_s, outcome.counted) == (0.0, False)


# What the platform takes

POSTS = Scope("posts", "C1", rate_per_s=0.1, burst=1)
CALLS = Scope("calls", "", rate_per_s=10.0, burst=10)


def test_what_finds_no_room_goes_back_and_comes_for_its_own_place() -> None:
    """Law: it was no try, and it is not sent before its time."""
    first, second = Bench(scopes=(POSTS, CALLS)), Bench(scopes=(POSTS, CALLS))
    second.limits = first.limits
    assert first.run() == Done()
    outcome = second.run()
    assert outcome == Retry("platform_limit", after_s=10.0, counted=False)
    [finish] = second.hands.ends
    assert (finish.fate, finish.reason, finish.after_s) == ("wait", "platform_limit", 10.0)
    assert second.channel.sends == []
    # The one clock of both limits is the first one's.
    first.now += 10.0
    assert second.run() == Done()
    assert len(second.channel.sends) == 1


@pytest.mark.parametrize(("after_s", "paused_s"), [(30.0, 30.0), (None, 1.0)])
def test_too_many_pauses_what_the_send_was_counted_under(after_s: float | None, paused_s: float) -> None:
    """Law: for as long as the platform says, or else as this reply waits; another scope goes on."""
    bench = Bench(says(RetryLater("ratelimited", after_s=after_s, limited=True)), scopes=(CALLS,))
    bench.run()
    other = msgspec.structs.replace(CALLS, key="C2")
    assert bench.limits.wait_s("scripted/shop", [CALLS], holder=-1) == pytest.approx(paused_s)
    assert bench.limits.wait_s("scripted/shop", [other], holder=-2) == 0


def test_too_many_of_one_scope_leaves_the_others_their_room() -> None:
    """Law: what is named is paused and nothing else, or one busy chat would silence a whole bot."""
    bench = Bench(
        says(RetryLater("ratelimited", after_s=30.0, limited=True, limited_scopes=("posts",))),
        scopes=(POSTS, CALLS),
    )
    bench.run()
    assert bench.limits.wait_s("scripted/shop", [CALLS], holder=-1) == 0
    assert bench.limits.wait_s("scripted/shop", [POSTS], holder=-2) >= 30.0


def test_what_is_cut_off_behind_its_send_has_its_own_end() -> None:
    """Law: the platform has said that it was not sent; that the others have not been told yet changes nothing."""

    class Cut(Limits):
        def pause(self, *_: object, **__: object) -> None:
            raise gevent.GreenletExit

    bench = Bench(says(RetryLater("ratelimited", after_s=30.0, limited=True)), scopes=(CALLS,))
    bench.limits = Cut(
        RateLimits(StoreSettings(redis_url=Secret("unix:///nonexistent/redis"))), share=lambda: 1.0
    )
    with pytest.raises(gevent.GreenletExit):
        bench.run()
    [finish] = bench.hands.put_ends
    assert (finish.fate, finish.reason) == ("retry", "ratelimited")


def test_a_circuit_that_is_open_pauses_nothing() -> None:
    """Law: it was not the platform that said "too many"."""
    bench = Bench(says(RetryLater("breaker_open", after_s=30.0)), scopes=(CALLS,))
    bench.run()
    assert bench.limits.wait_s("scripted/shop", [CALLS], holder=-1) == 0


def test_slack_by_the_handler() -> None:
    """With the real channel: what the platform answers ends in the row, its odd name for the message cleaned."""

    class Platform:
        def post(self, url: str, **_: object) -> PlatformAnswer:
            return PlatformAnswer(200, {}, b'{"ok": true, "ts": "1\\u00002"}')

    bench = Bench(channel="slack", payload={"via": "chat.postMessage", "body": {"channel": "C", "text": "x"}})
    bench.client = Platform()
    assert bench.run() == Done()
    assert (bench.hands.ends[0].fate, bench.hands.ends[0].platform_id) == ("sent", "1\ufffd2")


def test_every_end_is_of_the_life_in_which_the_row_was_taken() -> None:
    """Law: should this process die and take it again meanwhile, that try is another one's to end."""
    for outcome in (Sent(), NotSent("x"), Unknown("x"), RetryLater("x")):
        bench = Bench(says(outcome), epoch=1)
        bench.run()
        assert [finish.epoch for finish in bench.hands.ends] == [1]
