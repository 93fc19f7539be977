"""A webhook is told of an event until it takes it: signed, by the schedule, and never where it must not lead."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.domain.job import Bury, Done, Retry
from gateway.domain.resilience.health import Event
from gateway.jobs.webhooks import WEBHOOK_SEND, WebhookSend
from gateway.settings.secret import Secret
from gateway.settings.webhooks import WebhookSettings
from gateway.store import webhooks as rows
from tests.assistants.turns import KEYS
from tests.support.handling import Handling, job
from tests.support.stand_in import Hold, StandIn, cut, status
from tests.support.waiting import GUARD_S
from workers.handlers import webhook_send
from workers.handlers.webhook_send import JITTER, RETRY_AFTER_MAX_S, SCHEDULE_S
from workers.registry import handlers

HANDLER = handlers()[WEBHOOK_SEND]
assert webhook_send.webhook_send is HANDLER.perform


@pytest.fixture
def receiver() -> Iterator[StandIn]:
    with StandIn(status("204 No Content")) as standing:
        yield standing


Worker = Callable[..., Handling]


@pytest.fixture
def worker(database: str, redis_url: str, receiver: StandIn) -> Iterator[Worker]:
    """Makes a worker whose settings know the receiver as ``crm``."""
    made: list[Handling] = []

    def make(**how: Any) -> Handling:
        crm = WebhookSettings(
            url=how.pop("url", f"{receiver.origin}/hooks/in?token=t"),
            signing_secrets=tuple(Secret(key) for key in how.pop("keys", KEYS)),
            events=("turn.answered",),
            private_addresses_allowed=how.pop("private", True),
            **how,
        )
        made.append(Handling(database, redis_url, webhooks={"crm": crm}))
        return made[-1]

    yield make
    for each in made:
        each.__exit__(None, None, None)


def event(worker: Handling, **how: Any) -> WebhookSend:
    values: dict[str, Any] = {"at": worker.now, "data": {"turn_id": 7}, **how}
    return WebhookSend("crm", "turn_answered_7", "turn.answered", **values)


def tell(worker: Handling, *, attempts: int = 0, **how: Any) -> Any:
    return worker.run(HANDLER, job(HANDLER, event(worker, **how), attempts=attempts))


@pytest.mark.parametrize("known", KEYS)
def test_a_receiver_that_knows_either_live_secret_accepts_the_event(
    worker: Worker, receiver: StandIn, known: str
) -> None:
    assert tell(worker()) == Done()

    (call,) = receiver.calls
    assert call.path == "/hooks/in?token=t"
    said = Webhook(known).verify(call.body, call.headers)
    assert said["type"] == "turn.answered"
    assert said["data"] == {"turn_id": 7}
    assert said["timestamp"].endswith("Z")
    assert call.headers["webhook-id"] == "turn_answered_7"
    assert "." not in call.headers["webhook-id"]
    assert call.headers["content-type"] == "application/json"


def test_a_receiver_with_another_secret_refuses_it(worker: Worker, receiver: StandIn) -> None:
    tell(worker(keys=KEYS[:1]))

    with pytest.raises(WebhookVerificationError):
        Webhook(KEYS[1]).verify(receiver.calls[0].body, receiver.calls[0].headers)


def test_each_try_says_the_same_under_the_same_id_at_its_own_time(worker: Worker, receiver: StandIn) -> None:
    at_work = worker()
    receiver.will("turn_id", status("500 Internal Server Error"))
    told = event(at_work)
    at_work.run(HANDLER, job(HANDLER, told))
    at_work.now += 5
    at_work.run(HANDLER, job(HANDLER, told, attempts=1))

    first, second = receiver.calls
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) == int(first.headers["webhook-timestamp"]) + 5
    Webhook(KEYS[0]).verify(second.body, second.headers)


@pytest.mark.parametrize("attempts", range(len(SCHEDULE_S)))
@pytest.mark.parametrize("draw", [0.0, 0.999])
def test_the_pauses_are_the_schedules_with_a_little_jitter(
    worker: Worker, receiver: StandIn, attempts: int, draw: float
) -> None:
    at_work = worker()
    at_work.draw = lambda: draw
    receiver.usually(status("500 Internal Server Error"))

    outcome = tell(at_work, attempts=attempts)

    assert isinstance(outcome, Retry)
    assert (outcome.reason, outcome.counted) == ("http_500", True)
    pause_s = SCHEDULE_S[min(attempts + 1, len(SCHEDULE_S) - 1)]
    assert outcome.after_s == pytest.approx(pause_s * (1 + JITTER * draw))


def test_the_schedule_has_ten_tries_and_ends_in_a_dead_letter() -> None:
    assert SCHEDULE_S == (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    assert HANDLER.attempts_max == len(SCHEDULE_S)


@pytest.mark.parametrize(
    "line",
    ["302 Found", "400 Bad Request", "404 Not Found", "429 Too Many Requests", "503 Service Unavailable"],
)
def test_whatever_is_not_2xx_is_told_again(worker: Worker, receiver: StandIn, line: str) -> None:
    receiver.usually(status(line, b"", "Location: /elsewhere"))

    assert isinstance(tell(worker()), Retry)
    assert len(receiver.calls) == 1, "a redirect is not followed"


@pytest.mark.parametrize(
    ("said", "obeyed_s"),
    [("120", 120.0), ("1", 5.0), ("99999999", RETRY_AFTER_MAX_S), ("soon", 5.0), ("-5", 5.0)],
)
def test_a_retry_after_is_obeyed_within_a_day(
    worker: Worker, receiver: StandIn, said: str, obeyed_s: float
) -> None:
    at_work = worker()
    at_work.draw = lambda: 0.0
    receiver.usually(status("503 Service Unavailable", b"", f"Retry-After: {said}"))

    assert tell(at_work).after_s == obeyed_s


def test_a_receiver_that_hangs_up_is_told_again(worker: Worker, receiver: StandIn) -> None:
    receiver.usually(cut)

    outcome = tell(worker())

    assert isinstance(outcome, Retry)
    assert outcome.counted


def test_one_that_never_answers_is_given_up_in_its_time(worker: Worker, receiver: StandIn) -> None:
    receiver.usually(Hold(status("204 No Content")))
    began = time.monotonic()

    outcome = tell(worker(timeout_s=0.2))

    assert isinstance(outcome, Retry)
    assert time.monotonic() - began < GUARD_S / 3


def test_one_that_is_gone_is_disabled_and_told_nothing_until_somebody_says_so(
    worker: Worker, receiver: StandIn
) -> None:
    at_work = worker()
    receiver.will("turn_id", status("410 Gone"))

    gone = tell(at_work)

    assert isinstance(gone, Bury)
    assert "switchboard webhooks enable crm" in gone.detail
    (disabled,) = at_work.database.run(rows.list_disabled)
    assert (disabled.webhook, disabled.by) == ("crm", "job 1")
    assert tell(at_work) == Done(), "what comes meanwhile is dropped"
    assert len(receiver.calls) == 1

    assert at_work.database.run(lambda cursor: rows.enable(cursor, "crm"))
    assert tell(at_work) == Done()
    assert len(receiver.calls) == 2


def test_a_private_address_is_not_called(worker: Worker, receiver: StandIn) -> None:
    outcome = tell(worker(private=False))

    assert isinstance(outcome, Retry)
    assert outcome.reason == "address_not_allowed"
    assert "webhooks.crm.private_addresses_allowed" in outcome.detail
    assert "payload" not in outcome.detail, "it is of the settings"
    assert receiver.calls == []


def test_what_our_own_side_refuses_was_no_try(worker: Worker, receiver: StandIn) -> None:
    """An open circuit must not use up the schedule of every event."""
    at_work = worker()
    at_work.rpc.command("webhook:crm", Event.FORCE_OPEN)

    outcome = tell(at_work)

    assert isinstance(outcome, Retry)
    assert not outcome.counted
    assert outcome.after_s is not None
    assert outcome.after_s >= 5
    assert receiver.calls == []


def test_what_our_own_side_refuses_waits_the_longer_the_older_it_is(worker: Worker) -> None:
    """Law: a day's events for a receiver that is away do not all run every few seconds."""
    at_work = worker()
    at_work.rpc.command("webhook:crm", Event.FORCE_OPEN)

    outcome = tell(at_work, at=at_work.now - 36_000)

    assert isinstance(outcome, Retry)
    assert outcome.after_s is not None
    assert outcome.after_s >= 3_600


EXPIRED = Bury("expired", "it could not be told within 4 days")


def test_what_our_own_side_refuses_for_days_is_given_up(worker: Worker) -> None:
    at_work = worker()
    at_work.rpc.command("webhook:crm", Event.FORCE_OPEN)

    assert tell(at_work, at=at_work.now - 5 * 86_400) == EXPIRED


def test_what_failed_for_days_is_given_up(worker: Worker, receiver: StandIn) -> None:
    at_work = worker()

    assert tell(at_work, at=at_work.now - 5 * 86_400, attempts=1) == EXPIRED
    assert receiver.calls == []


def test_an_old_event_that_is_retried_by_hand_is_told(worker: Worker, receiver: StandIn) -> None:
    """Law: what a receiver missed for long can be told when it is back, as `switchboard webhooks enable` says; and the
    schedule does not begin anew."""
    at_work = worker()
    receiver.will("turn_id", status("500 Internal Server Error"))

    assert isinstance(tell(at_work, at=at_work.now - 5 * 86_400), Retry)
    assert tell(at_work, at=at_work.now - 5 * 86_400, attempts=1) == EXPIRED
    assert tell(at_work, at=at_work.now - 5 * 86_400) == Done()


def test_a_webhook_that_left_the_settings_is_a_dead_letter(worker: Worker) -> None:
    at_work = worker()
    stranger = msgspec.structs.replace(event(at_work), webhook="erp")

    outcome = at_work.run(HANDLER, job(HANDLER, stranger))

    assert isinstance(outcome, Bury)
    assert outcome.reason == "unknown_webhook"
