"""Two gateways and a preview: each page sees each piece once, whichever process runs the turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from gateway.app import Gateway
from gateway.assistants.preview import Delta
from gateway.domain.reply import Reply
from gateway.domain.turn import OutboxDraft, Settlement
from gateway.settings.secret import Secret
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.store.ledger.settle import Settled
from gateway.telemetry.metrics import Metrics
from tests.assistants.turns import TURN
from tests.support.waiting import until


@pytest.fixture
def gateways(database: str, redis_url: str, tmp_path: Path) -> Iterator[list[Gateway]]:
    """Two that know of one another and listen."""
    store = StoreSettings(database_url=Secret(database), redis_url=Secret(redis_url))
    both = [
        Gateway(Settings(home=tmp_path, accounts={}, assistants={}, store=store), Metrics()) for _ in "ab"
    ]
    for each in both:
        each.owner.register()
        each.owner.gateways = 2
    greenlets = [
        gevent.spawn(loop)
        for each in both
        for loop in (each._signals.listen_forever, each._signals.publish_forever)
    ]
    until(
        "both to listen",
        lambda: all(
            each._signals._publisher.pubsub_numsub("switchboard:gateways")[0][1] == 2 for each in both
        ),
    )
    yield both
    gevent.killall(greenlets)
    for each in both:
        each._signals.close()
        each._database.close()


def test_each_piece_is_shown_once_in_every_process(gateways: list[Gateway]) -> None:
    """A process hears its own hints; and two pieces that are alike are two pieces."""
    one, other = gateways
    for _ in range(3):
        one._announcements.preview(TURN, Delta("ha "))
    one._announcements.preview(TURN, Delta("!"))

    def pieces(gateway: Gateway) -> str:
        draft = gateway._live.draft(TURN.conversation_id)
        return "" if draft is None else "".join(piece.get("text", "") for piece in draft.since(0)[0])

    until("the last piece to arrive", lambda: pieces(other).endswith("!"))
    assert pieces(other) == "ha ha ha !"
    assert pieces(one) == "ha ha ha !"


def test_workers_are_told_of_jobs_alone(gateways: list[Gateway]) -> None:
    """Law: a push that this process was to send has a job after all where others were in front of it; else none."""
    speaking = gateways[0]
    draft = OutboxDraft(kind="push", payload={}, claimed=True)
    settlement = Settlement(turn=TURN, state="answered", reply=Reply(), outbox=(draft,))
    speaking._announcements.settled(settlement, Settled(lost=False, fresh=True, outbox_ids=(1,)))
    assert not speaking._job_hints._waiting
    speaking._announcements.settled(settlement, Settled(lost=False, fresh=True, outbox_ids=(1,), push_jobs=(5,)))
    assert list(speaking._job_hints._waiting.values()) == [[5]]
