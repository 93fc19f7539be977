"""Dead letters, retried and dropped: what each kind's retry does, and that it does it once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent
import msgspec
import pytest
import redis

from gateway.channels.bots import Bots
from gateway.channels.registry import CHANNELS
from gateway.conversations import queries
from gateway.domain.errors import Conflict, NotFound, SwitchboardError
from gateway.domain.job import Draft, JobEnd
from gateway.domain.message import Message
from gateway.domain.resilience.priority import Priority
from gateway.intake import dead_letters
from gateway.intake.dead_letters import DroppedLetter, RetriedLetter, Told
from gateway.settings.accounts import SlackAccount, SlackWorkspace
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store import webhooks
from gateway.store.dead_letters import Letter, Taken, letters, show
from gateway.store.job_hints import JobHints
from gateway.store.ledger import deliveries, job_partitions, jobs, transcripts
from gateway.store.ledger.jobs import Pull
from gateway.store.ledger.outbox import Finish
from gateway.store.ledger.transcripts import Span
from gateway.store.signals import Signals
from tests.support.actor import Actor

BOTS = Bots(CHANNELS, {("slack", "bot"): SlackAccount(channel="slack", name="bot", assistant="a")})
EVENT = msgspec.json.encode(
    {
        "type": "event_callback",
        "team_id": "T1",
        "event_id": "Ev1",
        "event_time": 1_700_000_000,
        "event": {
            "type": "message",
            "channel_type": "im",
            "channel": "D1",
            "user": "U1",
            "text": "a gin sour",
            "ts": "1700000000.000100",
        },
    }
)


class Office:
    """A ledger with a gateway and a worker, and an operator at it."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        store = StoreSettings(database_url=Secret(database_url), redis_url=Secret(redis_url))
        self.gateway = Actor(database_url)
        self.worker = Actor(database_url, "worker")
        self.operator = Actor(database_url)
        self.signals = Signals(store, audience="gateways", on_hint=lambda _: None)
        self.hints = JobHints(store, 100)
        self.told = Told(self.signals, self.hints)

    def retry(self, letter: int | None = None, **how: Any) -> RetriedLetter:
        return dead_letters.retry(
            self.operator.cursor,
            self.only() if letter is None else letter,
            self.told,
            **{"by": "ada@host", "bots": lambda: BOTS, "now": time.time(), **how},
        )

    def drop(self, letter: int | None = None) -> DroppedLetter:
        return dead_letters.drop(
            self.operator.cursor, self.only() if letter is None else letter, self.told, by="ada@host"
        )

    def open(self, **which: Any) -> list[Letter]:
        return letters(self.operator.cursor, **which)

    def only(self) -> int:
        [letter] = self.open()
        return letter.letter_id

    def failed(self, text: str = "hello", **place: Any) -> int:
        """A turn that failed, and its letter."""
        said = self.gateway.say(text, **place)
        self.gateway.answer(said.conversation_id, state="failed", reason="timeout", detail="60 s")
        return said.conversation_id

    def unsent(self, fate: str = "not_sent") -> int:
        """A message that came to this end, and its letter."""
        said = self.gateway.say()
        self.gateway.answer(said.conversation_id, pushes=["hi"])
        [row] = self.worker.claim()
        self.worker.finish(Finish(row.outbox_id, fate, "http_500", "it broke"))  # type: ignore[arg-type]
        return int(row.outbox_id)

    def buried(self, kind: str = "greet", payload: Any = None, **draft: Any) -> int:
        cursor, process = self.worker.cursor, self.worker.process
        asked = jobs.enqueue(cursor, [Draft(kind=kind, payload=payload or {}, **draft)])[0]
        fences = job_partitions.take(cursor, process, 32)
        pulls = [Pull(part, priority, 0, 100) for part in fences for priority in Priority]
        [job] = [one for one in jobs.scan(cursor, process, pulls, fences).jobs if one.job_id == asked.job_id]
        jobs.settle(cursor, process, [JobEnd(job, "bury", 3, reason="why", detail="it broke")], [job.claim])
        job_partitions.release(cursor, process, fences)
        return asked.job_id

    def delivered(self, body: bytes, account: str = "bot") -> int:
        return deliveries.dead_letter(
            self.gateway.cursor,
            channel="slack",
            account=account,
            reason="not_json",
            detail="",
            body=body,
            content_type="application/json",
        )

    def closed(self, letter: int) -> tuple[str, str]:
        found = show(self.operator.cursor, letter)
        return found.closed_as, found.closed_by


@pytest.fixture
def office(database: str, redis_url: str) -> Iterator[Office]:
    running = Office(database, redis_url)
    yield running
    running.signals.close()
    running.hints.close()


# Turns


def test_a_failed_turn_is_asked_again_at_its_conversations_end(office: Office) -> None:
    lane = office.failed("a gin sour")
    letter = office.only()
    (failed,) = (one.turn_id for one in office.open())

    retried = office.retry()

    [turn] = retried.turns
    assert (retried.kind, turn.conversation_id, turn.fresh) == ("turn", lane, True)
    assert turn.turn_id != failed
    assert office.closed(letter) == ("retried", "ada@host")
    assert office.gateway.lane(lane).orphaned, "whoever has room runs it"
    assert office.gateway.adopt() == [lane]
    found = office.gateway.head(lane)
    assert found
    head = found[1]
    assert (head.turn_id, head.seq, head.message, head.deaths) == (turn.turn_id, 2, Message("text", "a gin sour"), 0)
    assert head.age_s < 60
    assert office.gateway.one("SELECT retry_of FROM turns WHERE id = %s", turn.turn_id) == failed


def test_words_that_are_asked_again_stand_once_in_what_their_user_sees(office: Office) -> None:
    lane = office.failed("a gin sour")
    office.retry()

    [failed, again] = transcripts.after(office.operator.cursor, [Span(lane, 0, 10)])[0]
    assert failed.message == Message("text", "a gin sour")
    assert again.message == Message("event", name="retried")
    assert [one.retry_of for one in queries.transcript(office.operator.cursor, lane)] == [
        None,
        office.gateway.one("SELECT id FROM turns WHERE seq = 1"),
    ]


def test_a_retried_turn_waits_behind_those_at_work(office: Office) -> None:
    """Law: a lane that is owned keeps its owner, who finds the new turn when it settles."""
    lane = office.failed("first")
    office.gateway.say("second")
    fence = office.gateway.lane(lane).fence
    office.retry()
    now = office.gateway.lane(lane)
    assert (now.orphaned, now.owner, now.fence) == (False, office.gateway.id, fence)
    settled = office.gateway.answer(lane)
    assert settled.next_turn is not None
    assert settled.next_turn.message.text == "first"


def test_a_turn_whose_words_were_removed_is_not_asked_again(office: Office) -> None:
    lane = office.failed()
    office.operator.cursor.execute("UPDATE turns SET address = '{}' WHERE conversation_id = %s", (lane,))
    with pytest.raises(NotFound, match="has been removed"):
        office.retry()
    assert len(office.open()) == 1, "the letter stays open, to be dropped"
    office.drop()


# Deliveries


def test_a_delivery_is_read_again_by_the_code_of_now(office: Office) -> None:
    letter = office.delivered(EVENT)
    retried = office.retry()
    [turn] = retried.turns
    assert (retried.kind, turn.fresh) == ("delivery", True)
    assert office.closed(letter) == ("retried", "ada@host")
    assert office.gateway.adopt() == [turn.conversation_id]
    found = office.gateway.head(turn.conversation_id)
    assert found
    assert (found[1].message.text, found[1].accepted_by) == ("a gin sour", 0)


def test_what_was_delivered_again_meanwhile_is_not_said_twice(office: Office) -> None:
    """Law: a retried delivery has the dedupe keys that its message has had on its way in."""
    first, second = office.delivered(EVENT), office.delivered(EVENT)
    [turn] = office.retry(first).turns
    assert office.retry(second).turns == (Taken(turn.turn_id, turn.conversation_id, fresh=False),)
    assert office.gateway.one("SELECT count(*) FROM turns") == 1


def test_a_delivery_that_says_nothing_for_us_is_closed(office: Office) -> None:
    office.delivered(msgspec.json.encode({"type": "url_verification", "challenge": "c"}))
    assert office.retry().turns == ()
    assert office.open() == []


def test_a_delivery_of_a_workspace_is_read_for_its_account_and_a_strangers_stays(office: Office) -> None:
    """Law: a letter is closed by what is taken in, and never because it is not."""
    app = SlackAccount(
        channel="slack", name="bot", assistant="a", workspaces={"T2": SlackWorkspace(bot_token=Secret("xoxb-2"))}
    )
    installed = {(each.channel, each.name): each for each in (app, *app.installed())}
    bots = Bots(CHANNELS, installed)
    stranger = office.delivered(EVENT)
    with pytest.raises(Conflict) as raised:
        office.retry(bots=lambda: bots)
    assert raised.value.reason == "unknown_workspace"
    assert office.only() == stranger

    office.retry(office.delivered(EVENT.replace(b'"T1"', b'"T2"')), bots=lambda: bots)
    assert office.gateway.one("SELECT account FROM conversations") == "bot.T2"


def test_a_delivery_that_is_still_not_understood_stays(office: Office) -> None:
    office.delivered(b"{")
    with pytest.raises(Conflict, match="still not understood"):
        office.retry()
    assert len(office.open()) == 1


def test_a_delivery_to_an_account_that_is_gone_stays(office: Office) -> None:
    office.delivered(EVENT, account="gone")
    with pytest.raises(NotFound, match="there is no account 'gone'"):
        office.retry()
    assert len(office.open()) == 1


# Sends


@pytest.mark.parametrize(("fate", "marked"), [("not_sent", False), ("unknown", True)])
def test_a_message_is_sent_again_marked_where_its_user_may_have_it(office: Office, fate: str, *, marked: bool) -> None:
    box = office.unsent(fate)
    retried = office.retry()
    assert (retried.kind, retried.outbox_id, retried.maybe_repeat) == ("send", box, marked)
    [row] = office.worker.claim()
    assert (row.outbox_id, row.maybe_repeat, row.attempts) == (box, marked, 1)
    [carrier] = office.worker.rows("SELECT state, unique_key FROM jobs WHERE state IN ('ready', 'scheduled')")
    assert carrier == ("ready", f"outbox:{box}")
    office.worker.finish(Finish(row.outbox_id, "sent"))
    assert office.open() == []


def test_a_message_whose_carrier_was_given_up_is_one_retry(office: Office) -> None:
    """Its two letters, the message's and the job's, are about the same thing."""
    said = office.gateway.say()
    office.gateway.answer(said.conversation_id, pushes=["hi"])
    box, job = office.gateway.one("SELECT o.id, j.id FROM outbox o JOIN jobs j ON j.unique_key = 'outbox:' || o.id")
    office.operator.cursor.execute("UPDATE jobs SET state = 'buried' WHERE id = %s", (job,))
    office.operator.cursor.execute(
        "INSERT INTO dead_letters (kind, channel, account, job_id, reason) VALUES ('job', '', '', %s, 'x')", (job,)
    )
    office.operator.cursor.execute("SELECT * FROM outbox_mend(NULL, 100)")
    [sent, _] = office.open()
    assert (sent.kind, sent.outbox_id) == ("send", box)
    office.retry(sent.letter_id)
    assert office.open() == []
    assert office.gateway.rows("SELECT state FROM jobs") == [("ready",)]


def test_an_answer_that_was_kept_too_long_is_kept_once_more(office: Office) -> None:
    """Law: its channel cannot send by itself, so no job carries it; the conversation's next turn tells it."""
    box = office.unsent()
    office.operator.cursor.execute(
        "UPDATE outbox SET kind = 'response', kept_until = created_at + interval '1 day' WHERE id = %s", (box,)
    )
    office.operator.cursor.execute("DELETE FROM jobs")
    office.retry()
    [(state, kind, left_s)] = office.gateway.rows(
        "SELECT state, kind, extract(epoch FROM kept_until - clock_timestamp())::float8 FROM outbox"
    )
    assert (state, kind) == ("pending", "response")
    assert 86_000 < left_s <= 86_400
    assert office.gateway.rows("SELECT 1 FROM jobs") == []


def test_a_message_that_is_kept_no_more_cannot_be_sent(office: Office) -> None:
    office.unsent()
    office.operator.cursor.execute("DELETE FROM outbox")
    with pytest.raises(NotFound, match="kept no more"):
        office.retry()


# Jobs and webhooks


def test_a_buried_job_starts_anew(office: Office) -> None:
    job = office.buried()
    letter = office.only()
    assert office.retry() == RetriedLetter(letter_id=letter, kind="job", job_id=job)
    assert office.gateway.rows("SELECT state, attempts FROM jobs") == [("ready", 0)]
    assert office.closed(letter) == ("retried", "ada@host")


def test_a_webhook_is_told_again_unless_it_is_told_nothing(office: Office) -> None:
    """Law: a retry never loses what it is to save: an event to a receiver that is disabled would be dropped."""
    office.buried("webhook.send", {"webhook": "crm", "event_id": "e"})
    [letter] = office.open()
    assert letter.kind == "webhook"
    webhooks.disable(office.operator.cursor, "crm", by="job 1", reason="gone")
    with pytest.raises(Conflict, match="switchboard webhooks enable crm"):
        office.retry()
    webhooks.enable(office.operator.cursor, "crm")
    assert office.retry().kind == "webhook"


def test_a_job_that_is_gone_can_only_be_dropped(office: Office) -> None:
    office.buried()
    office.operator.cursor.execute("DELETE FROM jobs")
    with pytest.raises(NotFound):
        office.retry()
    office.drop()
    assert office.open() == []


# Once


def _make(office: Office, kind: str) -> None:
    match kind:
        case "turn":
            office.failed()
        case "delivery":
            office.delivered(EVENT)
        case "send":
            office.unsent()
        case "job":
            office.buried()
        case "webhook":
            office.buried("webhook.send", {"webhook": "crm"})


@pytest.mark.parametrize("kind", dead_letters.KINDS)
@pytest.mark.parametrize("second", ["retry", "drop"])
def test_what_was_retried_is_not_retried_or_dropped_again(office: Office, kind: str, second: str) -> None:
    _make(office, kind)
    letter = office.only()
    office.retry()
    with pytest.raises(Conflict, match="was retried already by ada@host"):
        getattr(office, second)(letter)


@pytest.mark.parametrize("kind", dead_letters.KINDS)
def test_of_two_who_retry_at_once_one_does(office: Office, kind: str, database: str) -> None:
    """Law: exactly once.  The second has read the letter while it was open, and waits for the first's commit."""
    _make(office, kind)
    letter = office.only()
    other = Actor(database)

    def late() -> object:
        try:
            return dead_letters.retry(other.cursor, letter, office.told, by="bob", bots=lambda: BOTS, now=time.time())
        except SwitchboardError as error:
            return error

    with office.operator.transaction():
        office.retry(letter)
        waiting = gevent.spawn(late)
        office.operator.holds_up(other, waiting)
    assert isinstance(waiting.get(timeout=10), Conflict)
    assert office.gateway.one("SELECT count(*) FROM turns WHERE accepted_by = 0") <= 1
    assert office.gateway.one("SELECT count(*) FROM jobs WHERE state = 'ready'") <= 1
    assert office.closed(letter)[0] == "retried"


@pytest.mark.parametrize("kind", dead_letters.KINDS)
@pytest.mark.parametrize(("first", "second"), [("retry", "drop"), ("drop", "retry"), ("drop", "drop")])
def test_of_two_who_decide_at_once_the_first_is_obeyed(
    office: Office, kind: str, first: str, second: str, database: str
) -> None:
    """Law: what one has retried another cannot forget, though it read the letter while it was open."""
    _make(office, kind)
    letter = office.only()
    other = Actor(database)

    def late() -> object:
        try:
            if second == "drop":
                return dead_letters.drop(other.cursor, letter, office.told, by="bob")
            return dead_letters.retry(other.cursor, letter, office.told, by="bob", bots=lambda: BOTS, now=time.time())
        except SwitchboardError as error:
            return error

    with office.operator.transaction():
        getattr(office, first)(letter)
        waiting = gevent.spawn(late)
        office.operator.holds_up(other, waiting)
    assert isinstance(waiting.get(timeout=10), Conflict)
    assert office.closed(letter) == ({"retry": "retried", "drop": "dropped"}[first], "ada@host")
    left = office.gateway.rows("SELECT state FROM jobs WHERE kind IN ('greet', 'webhook.send')")
    assert left == ([("ready",)] if kind in ("job", "webhook") and first == "retry" else [])


@pytest.mark.parametrize("kind", dead_letters.KINDS)
def test_what_is_dropped_is_closed_and_its_job_forgotten(office: Office, kind: str) -> None:
    _make(office, kind)
    letter = office.only()
    dropped = office.drop()
    assert dropped.kind == kind
    assert office.closed(letter) == ("dropped", "ada@host")
    assert office.gateway.rows("SELECT 1 FROM jobs WHERE state = 'buried'") == []
    with pytest.raises(Conflict):
        office.retry(letter)


def test_nothing_is_no_letter(office: Office) -> None:
    for do in (office.retry, office.drop):
        with pytest.raises(NotFound, match="there is no dead letter 77"):
            do(77)


# Who is told


def test_whoever_runs_it_is_told_after_the_commit(office: Office, redis_url: str) -> None:
    office.failed()
    office.retry()
    job = office.buried()
    office.retry()
    client = redis.Redis.from_url(redis_url)
    with client.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe("switchboard:gateways")
        heard.get_message(timeout=5)
        assert client.keys("switchboard:jobs:*") == []
        assert office.told.flush()
        said = heard.get_message(timeout=5)
    assert said
    assert msgspec.json.decode(said["data"]) == {"type": "orphans"}
    [stream] = client.keys("switchboard:jobs:*")
    assert [fields for _, fields in client.xrange(stream)] == [{b"j": f"1 {job}".encode()}]
    client.close()


# Lists


def test_a_list_is_narrowed_and_paged(office: Office) -> None:
    office.failed()
    office.delivered(b"{")
    office.unsent()
    office.buried()
    office.buried("webhook.send", {"webhook": "crm"})
    by_kind = {one.kind: one.letter_id for one in office.open()}
    assert list(by_kind) == ["webhook", "job", "send", "delivery", "turn"]
    for kind in dead_letters.KINDS:
        assert [one.letter_id for one in office.open(kind=kind)] == [by_kind[kind]]
    assert [one.kind for one in office.open(channel="slack")] == ["send", "delivery", "turn"]
    assert office.open(channel="slack", account="other") == []
    assert [one.kind for one in office.open(before=by_kind["send"], rows_max=1)] == ["delivery"]
    office.drop(by_kind["turn"])
    assert [one.kind for one in office.open(state="closed")] == ["turn"]
    assert len(office.open(state="any")) == 5


def test_a_letter_keeps_a_delivery_as_it_came(office: Office) -> None:
    letter = office.delivered(b"\xff\x00")
    found = show(office.operator.cursor, letter)
    assert (found.body, found.content_type, found.channel) == (b"\xff\x00", "application/json", "slack")
