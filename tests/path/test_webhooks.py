"""What happens in a whole stack is told to a webhook's receiver: signed, once an event, by whichever process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import psycopg2
import pytest
from standardwebhooks.webhooks import Webhook

from gateway.store.ledger import jobs
from tests.assistants.turns import KEYS
from tests.support.job_actor import asked
from tests.support.stack import Stack, running_stack, word
from tests.support.stand_in import StandIn, status
from tests.support.waiting import until


class Receiver(StandIn):
    """Somebody's, who knows the secret."""

    def told(self, event_type: str) -> list[Any]:
        """Return what it was told of the type, once there is something."""
        until(f"{event_type} to be told", lambda: self.about(f'"type":"{event_type}"'))
        return [Webhook(KEYS[1]).verify(call.body, call.headers) for call in self.about(event_type)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(status("204 No Content")) as standing:
        yield standing


@pytest.fixture
def stack(
    database: str, redis_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", KEYS[1])
    settings = {
        "webhooks.crm.url": f"{receiver.origin}/in",
        "webhooks.crm.signing_secrets": "env:TEST_WEBHOOK_SECRET",
        "webhooks.crm.events": "turn.answered,turn.failed,message.sent,job.buried",
        "webhooks.crm.private_addresses_allowed": "true",
    }
    with running_stack(database, redis_url, settings=settings) as running:
        yield running
        print(running.logs())


def test_a_receiver_is_told_of_turns_messages_and_jobs(stack: Stack, receiver: Receiver, database: str) -> None:
    said = word()
    stack.slack.event(said, channel="C1").send(stack.port)
    # Nobody performs it.  Asked for by no process of the ledger: a worker among them would be given partitions.
    with closing(psycopg2.connect(database)) as connection, connection, connection.cursor() as cursor:
        jobs.enqueue(cursor, [asked(kind="nobody.knows")])

    (answered,) = receiver.told("turn.answered")
    (sent,) = receiver.told("message.sent")
    (buried,) = receiver.told("job.buried")

    (turn,) = stack.ledger.turns(said)
    (row,) = stack.ledger.wait_outbox(said, "sent")
    assert answered["data"]["turn_id"] == sent["data"]["turn_id"] == turn["id"]
    assert (sent["data"]["outbox_id"], sent["data"]["platform_id"]) == (row["id"], row["platform_id"])
    assert (buried["data"]["kind"], buried["data"]["reason"]) == ("nobody.knows", "unknown_kind")
    assert said not in msgspec.json.encode([answered, sent, buried]).decode(), "what was said is nobody else's"

    stack.slack.event(word(), channel="C2", account="nowhere").send(stack.port)

    (failed,) = receiver.told("turn.failed")

    assert failed["data"]["account"] == "nowhere"
    assert failed["data"]["reason"]
