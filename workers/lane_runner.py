"""Conversations' lanes, run by a worker while no gateway lives: what was accepted is answered all the same.

    no gateway lives ─▶ adopt lanes that nobody runs ─▶ run their turns ─▶ a gateway lives ─▶ free them

A gateway runs lanes better, because callers may be waiting there, and previews are seen there; so as soon as one lives
the lanes are given back, each after the turn that it runs.  Who lives is what the ledger says of beats; that a gateway
is dead is declared as always, and its lanes are found as by any other gateway (``gateway/lanes/takeover.py``).

What the ledger says is this worker's although it runs nothing (the stretch ended between the adopting and the running,
or a lane had stopped for want of a store) is freed too: gateways would leave it alone as long as this worker lives.

Lanes of one stretch are over before those of the next begin: two that know nothing of each other would run one lane
twice.
"""

from __future__ import annotations

import contextlib
import time

import gevent

from gateway.assistants.client import Assistants
from gateway.assistants.preview import Preview
from gateway.channels.bots import Bots
from gateway.channels.registry import CHANNELS
from gateway.conversations.transcripts import Transcripts
from gateway.domain.errors import StoreUnavailable
from gateway.domain.hint import Orphans, Settled
from gateway.domain.resilience.priority import Priority
from gateway.domain.turn import Settlement, Turn
from gateway.jobs.jobs import Jobs
from gateway.lanes.lane import Lanes
from gateway.lanes.owner import Owner
from gateway.lanes.takeover import Takeover
from gateway.pipeline import Runner
from gateway.replies.platform_client import RpcPlatformClient
from gateway.replies.responses import Responses
from gateway.replies.results import Results
from gateway.replies.signs import SignsOfLife
from gateway.rpc.client import RpcClient
from gateway.settings.settings import Settings
from gateway.store.ledger import process
from gateway.store.ledger.accept import Accepted
from gateway.store.ledger.asking import FollowUps
from gateway.store.ledger.ledger import Ledger
from gateway.store.ledger.outbox import send_lane
from gateway.store.ledger.settle import Settled as SettledTurn
from gateway.store.postgres import Database
from gateway.store.signals import Signals

__all__ = ["LaneRunner"]

#: Looks between two at what the ledger says is this worker's, once it has run lanes.
_FREE_EVERY = 5


class LaneRunner:
    """The lanes of this worker, mostly none."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        owner: Owner,
        rpc: RpcClient,
        signals: Signals,
        jobs: Jobs,
        *,
        follow_ups: FollowUps,
    ) -> None:
        self._settings = settings.lanes
        self._database = database
        self._owner = owner
        self._signals = signals
        self._ledger = Ledger(
            database, settings.store, settings.lanes, lambda: owner.process, follow_ups=follow_ups
        )
        self._runner = Runner(
            Bots(CHANNELS, settings.accounts),
            Assistants(
                settings.assistants,
                rpc,
                Transcripts(database, settings.store),
                sharers={key: account.sharer for key, account in settings.accounts.items()},
            ).get,
            # Nobody calls a worker, so nobody waits here, and nothing leaves in a response.
            Results(self._ledger.results, lambda _: {}, lambda _: None, poll_s=settings.lanes.poll_s),
            Responses(self._ledger.finish),
            _Watchers(signals, jobs),
            signs=SignsOfLife(
                RpcPlatformClient(rpc, private_addresses_allowed=settings.rpc.private_addresses_allowed)
            ),
            deaths_max=settings.lanes.deaths_max,
            process_id=lambda: owner.process.process_id,
        )
        self._lanes = self._new_lanes()
        self._stopping = False
        self._has_run = False

    def __repr__(self) -> str:
        return f"<LaneRunner: {self._lanes!r}>"

    def __len__(self) -> int:
        return len(self._lanes)

    def watch_forever(self) -> None:
        """Run lanes whenever no gateway lives, until killed.  To be supervised."""
        # Restarted after a crash: what runs still is given back like the rest.
        self._give_back()
        looks = 0
        while True:
            if self._is_wanted():
                self._run_lanes()
            elif self._has_run and looks % _FREE_EVERY == 0:
                self._free_left()
            looks += 1
            gevent.sleep(self._settings.poll_s)

    def drop(self) -> None:
        """Stop at once: this process was declared dead, and its lanes are others'."""
        self._lanes.drop()

    def stop(self, deadline: float) -> bool:
        """Finish the turns that run and free the lanes by *deadline* (monotonic seconds); return whether all ended.

        Safe twice, and if never started.
        """
        self._stopping = True
        ended = self._lanes.drain(deadline)
        self._signals.publish("gateways", Orphans())
        return ended

    def _is_wanted(self) -> bool:
        return self._owner.gateways == 0 and not self._stopping

    def _free_left(self) -> None:
        # Fail-open: the next look may succeed.
        with contextlib.suppress(StoreUnavailable):
            if self._database.run(lambda cursor: process.free(cursor, self._owner.process)):
                self._signals.publish("gateways", Orphans())

    def _run_lanes(self) -> None:
        self._has_run = True
        lanes = self._lanes = self._new_lanes()
        takeover = Takeover(
            self._database,
            self._owner,
            lanes,
            self._settings,
            # The other workers look as often as this one.
            orphaned=lambda: None,
        )
        looking = gevent.spawn(takeover.watch_forever)
        try:
            while self._is_wanted():
                gevent.sleep(self._settings.poll_s)
                if looking.ready():
                    looking.get()
        finally:
            looking.kill()
        self._give_back()

    def _give_back(self) -> None:
        """Free the lanes, each after the turn that it runs."""
        if not self._stopping:
            self._lanes.drain(time.monotonic())
        while len(self._lanes):
            gevent.sleep(self._settings.poll_s)
        self._signals.publish("gateways", Orphans())

    def _new_lanes(self) -> Lanes:
        return Lanes(
            self._ledger,
            self._owner,
            self._settings,
            run=self._runner.run,
            settled=self._runner.settled,
            unstorable=self._runner.unstorable,
        )


class _Watchers:
    """Those who look on: gateways that begin to live, and the workers that send."""

    def __init__(self, signals: Signals, jobs: Jobs) -> None:
        self._signals = signals
        self._jobs = jobs

    def accepted(self, turn: Accepted) -> None:
        """Nothing is accepted here."""

    def preview(self, turn: Turn, preview: Preview) -> None:
        """No page is held here, and none where it could be told."""

    def settled(self, settlement: Settlement, settled: SettledTurn) -> None:
        """A turn has ended, and is committed."""
        turn = settlement.turn
        self._signals.publish("gateways", Settled(turn.conversation_id, turn.turn_id, turn.seq))
        if settlement.outbox:
            self._jobs.tell(send_lane(turn.conversation_id), Priority.HIGH, settled.push_jobs)
