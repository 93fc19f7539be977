"""Composition of the worker process, and the order in which it starts and stops."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Sequence

import gevent
from gevent.event import Event

from gateway.channels.registry import CHANNELS
from gateway.circuits.circuits import Circuits
from gateway.domain.deadline import Deadline
from gateway.domain.errors import StoreUnavailable
from gateway.domain.hint import Hint, OutboxFilled
from gateway.domain.resilience.health import Change
from gateway.lanes.owner import Owner
from gateway.replies.platform_client import RpcPlatformClient
from gateway.replies.strays import Strays
from gateway.rpc.client import RpcClient
from gateway.settings.settings import Settings
from gateway.store.batcher import Batcher
from gateway.store.ledger import outbox
from gateway.store.ledger.outbox import Finish
from gateway.store.postgres import Database
from gateway.store.signals import Signals
from gateway.supervision import Supervisor
from gateway.telemetry.metrics import Metrics
from workers.consumer import Consumer
from workers.executor import Executor
from workers.janitor import Janitor
from workers.metrics_page import MetricsPage

__all__ = ["Worker"]


class Worker:
    """One worker process."""

    def __init__(self, settings: Settings, metrics: Metrics, *, label: str) -> None:
        self._settings = settings
        self._metrics = metrics
        self._database = Database(settings.store, application="switchboard worker")
        self._rpc = RpcClient(settings.rpc, on_circuit=self._circuit_changed)
        self.owner = Owner(
            self._database,
            settings.lanes,
            kind="worker",
            label=label,
            # Sends under way end by themselves, and their ends are refused: nothing to drop.
            on_dead=lambda: None,
        )
        self._signals = Signals(settings.store, audience="workers", on_hint=self._hear)
        store = settings.store
        self._circuits = Circuits(
            self._rpc,
            self._database,
            self._signals,
            store=store,
            settings=settings.rpc,
            me=lambda: self.owner.process_id,
        )
        finishes: Batcher[Finish, bool] = Batcher(
            "finish",
            self._database,
            lambda cursor, batch: outbox.finish(cursor, self.owner.process, batch),
            rows_max=store.batch_rows_max,
            batches_max=1,
            waiting_max=store.batch_waiting_max,
        )
        executor = Executor(
            CHANNELS,
            settings.accounts,
            RpcPlatformClient(self._rpc, private_addresses_allowed=settings.rpc.private_addresses_allowed),
            finishes.submit,
            settings.outbox,
            may_send=lambda row: self.owner.holds() and row.epoch == self.owner.epoch,
        )
        self._consumer = Consumer(
            lambda rows_max: self._database.run(
                lambda cursor: outbox.claim(cursor, self.owner.process, rows_max)
            ),
            executor.execute,
            settings.outbox,
            holds=self.owner.holds,
        )
        self._strays = Strays(
            lambda: self._database.run(lambda cursor: outbox.owned(cursor, self.owner.process)),
            self._consumer,
            lambda rows: self._give_back(finishes, rows),
            every_s=settings.lanes.dead_after_s,
        )
        self._supervisor = self._supervise()

    def run(self) -> int:
        """Work until SIGTERM or SIGINT, then stop in order; return the exit status."""
        told_to_stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, told_to_stop.set)
        self._supervisor.start()
        told_to_stop.wait()
        self.stop(time.monotonic() + self._settings.server.drain_s)
        return 0

    def stop(self, deadline: float) -> None:
        """End by *deadline* (monotonic seconds), in the one order in which every send gets its end.

        1. Claim no more, and wait for the sends under way: each writes its own end.
        2. The children: no beat, claim or hint runs from here on.
        3. Leave the ledger: a send that did not end in time is unknown, which is the truth, and free at once.
        4. The connections, which nobody uses any more.

        Safe twice, and if never started.
        """
        self._consumer.stop(deadline)
        self._supervisor.stop(deadline)
        # Without PostgreSQL this process will be found dead by its beat.
        with contextlib.suppress(StoreUnavailable):
            self.owner.leave()
        self._signals.close()
        self._circuits.close()
        self._rpc.stop(Deadline(max(deadline, time.monotonic())))
        self._database.close()

    def _give_back(self, finishes: Batcher[Finish, bool], rows: Sequence[int]) -> None:
        finishes.submit_all([Finish(row, "retry", reason="claim_lost") for row in rows])

    def _hear(self, hint: Hint) -> None:
        if isinstance(hint, OutboxFilled):
            self._consumer.hint()
        else:
            self._circuits.hear(hint)

    def _circuit_changed(self, endpoint: str, change: Change) -> None:
        self._circuits.changed(endpoint, change)

    def _supervise(self) -> Supervisor:
        janitor = Janitor(self._database, self.owner, self._settings.lanes, CHANNELS)
        supervisor = Supervisor()
        # The beat first: nothing can be claimed before this process is in the ledger.
        supervisor.add("beat", self.owner.beat_forever)
        supervisor.add("consumer", self._consumer.consume_forever)
        supervisor.add("strays", self._strays.watch_forever)
        supervisor.add("bury", janitor.bury_forever)
        supervisor.add("prune", janitor.prune_forever)
        supervisor.add("signals.publish", self._signals.publish_forever)
        supervisor.add("signals.listen", self._signals.listen_forever)
        self._circuits.supervise(supervisor)
        if port := self._settings.worker.metrics_port:
            page = MetricsPage(self._metrics, self._settings.server.host, port)
            supervisor.add("metrics", page.serve_forever)
        return supervisor
