"""Composition of the worker process, and the order in which it starts and stops."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Mapping

import gevent
from gevent.event import Event

from gateway.channels.registry import CHANNELS
from gateway.circuits.circuits import Circuits
from gateway.domain.deadline import Deadline
from gateway.domain.errors import StoreUnavailable
from gateway.domain.hint import Hint, PartitionsFree
from gateway.domain.resilience.health import Change
from gateway.jobs.follow_ups import JobFollowUps
from gateway.jobs.jobs import Jobs
from gateway.jobs.pushes import Pushes
from gateway.jobs.webhooks import Webhooks
from gateway.lanes.owner import Owner
from gateway.replies.limits import Limits
from gateway.replies.platform_client import RpcPlatformClient
from gateway.replies.sending import Sender
from gateway.rpc.client import RpcClient
from gateway.settings.settings import Settings
from gateway.store.job_hints import JobHints
from gateway.store.postgres import Database
from gateway.store.rate_limits import RateLimits
from gateway.store.signals import Signals
from gateway.supervision import Supervisor
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.tracing import Tracing
from workers.context import Tools
from workers.engine import Engine
from workers.janitor import Janitor
from workers.job_census import JobCensus
from workers.lane_runner import LaneRunner
from workers.metrics_page import MetricsPage
from workers.registry import Handler
from workers.scheduler import Scheduler
from workers.sends import Sends

__all__ = ["Worker"]

#: Seconds that leaving the ledger may take, however late it is.
_LEAVE_S = 0.5


class Worker:
    """One worker process."""

    def __init__(
        self, settings: Settings, metrics: Metrics, handlers: Mapping[str, Handler], *, label: str
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._database = Database(settings.store, application="switchboard worker")
        self._rpc = RpcClient(settings.rpc, on_circuit=self._circuit_changed)
        self.owner = Owner(
            self._database, settings.lanes, kind="worker", label=label, on_dead=self._declared_dead
        )
        self._signals = Signals(settings.store, audience="workers", on_hint=self._hear)
        self._circuits = Circuits(
            self._rpc,
            self._database,
            self._signals,
            store=settings.store,
            settings=settings.rpc,
            me=lambda: self.owner.process_id,
        )
        self._job_hints = JobHints(settings.store, settings.jobs.hints_per_partition_max)
        self.jobs = Jobs(self._database, settings.jobs, self._job_hints)
        follow_ups = JobFollowUps(
            Webhooks(settings.webhooks), self.jobs, Pushes(self._database, self.jobs, self._signals)
        )
        self._sends = Sends(
            self._database,
            lambda: self.owner.process,
            settings.store,
            look_every_s=settings.lanes.dead_after_s,
            follow_ups=follow_ups,
        )
        self._rates = RateLimits(settings.store)
        tools = Tools(
            settings=settings,
            database=self._database,
            owner=self.owner,
            rpc=self._rpc,
            channels=CHANNELS,
            jobs=self.jobs,
            signals=self._signals,
            sends=self._sends,
            sender=self._sender(),
            clock=time.monotonic,
            wall_clock=time.time,
            draw=random.random,
        )
        self._kinds = handlers.keys()
        self._engine = Engine(self._database, self.owner, settings, handlers, tools, announce=self._announce)
        self._lanes = LaneRunner(
            settings, self._database, self.owner, self._rpc, self._signals, self.jobs, follow_ups=follow_ups
        )
        self._supervisor = self._supervise()
        self._tracing = Tracing(settings.telemetry, "switchboard-worker")
        self._stopped = False

    def run(self) -> int:
        """Work until SIGTERM or SIGINT, then stop in order; return the exit status."""
        told_to_stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, told_to_stop.set)
        self.start()
        told_to_stop.wait()
        self.stop(time.monotonic() + self._settings.server.drain_s)
        return 0

    def start(self) -> None:
        """Start all that it consists of; it works on in greenlets."""
        self._tracing.start()
        self._supervisor.start()

    def stop(self, deadline: float) -> None:
        """End by *deadline* (monotonic seconds), in the one order in which every job gets its end.

        1. The engine: take no more, finish what runs, write the ends, give the partitions back.  Beside it the lanes,
           if it runs any: it ends their turns and frees them.  Then the ends of sends that were cut off.
        2. Hints of jobs that those ends asked for.
        3. The children: no beat, look or hint runs from here on.
        4. Leave the ledger: what is still held is free at once, and the others are told.
        5. The connections, which nobody uses any more.
        6. Spans, where they are sent: all that they tell of has ended.

        Safe if never started.  A second call does nothing: what the first one could not end, nobody can any more.
        """
        if self._stopped:
            return
        lanes = gevent.spawn(self._lanes.stop, deadline)
        self._engine.stop(deadline)
        self._sends.flush(deadline)
        lanes.join()
        self._job_hints.flush()
        self._supervisor.stop(deadline)
        # Without PostgreSQL, which may be silent for longer than there is time, it will be found dead by its beat.
        patience_s = max(_LEAVE_S, deadline - time.monotonic())
        with contextlib.suppress(StoreUnavailable, gevent.Timeout), gevent.Timeout(patience_s):
            self.owner.leave()
        self._announce()
        self._engine.close()
        self._signals.close()
        self._rates.close()
        self._job_hints.close()
        self._circuits.close()
        self._rpc.stop(Deadline(max(deadline, time.monotonic())))
        self._database.close()
        self._tracing.stop(deadline)
        self._stopped = True

    def _sender(self) -> Sender:
        private_allowed = self._settings.rpc.private_addresses_allowed
        return Sender(
            self._settings,
            CHANNELS,
            Limits(self._rates, share=lambda: self._engine.share),
            RpcPlatformClient(self._rpc, private_addresses_allowed=private_allowed).on_behalf_of,
            lives=self.owner.lives_in,
        )

    def _declared_dead(self) -> None:
        self._engine.declared_dead()
        self._lanes.drop()

    def _announce(self) -> None:
        self._signals.publish("workers", PartitionsFree())

    def _hear(self, hint: Hint) -> None:
        self._engine.hear(hint)
        self._circuits.hear(hint)

    def _circuit_changed(self, endpoint: str, change: Change) -> None:
        self._circuits.changed(endpoint, change)

    def _supervise(self) -> Supervisor:
        settings = self._settings
        janitor = Janitor(self.owner, settings.lanes)
        census = JobCensus(self._database, lambda: self.owner.process, settings.lanes.dead_after_s)
        scheduler = Scheduler(
            self._database,
            self.jobs,
            settings.schedules,
            kinds=self._kinds,
            me=lambda: self.owner.process,
            dead_after_s=settings.lanes.dead_after_s,
        )
        supervisor = Supervisor()
        # The beat first: nothing can be taken before this process is in the ledger.
        supervisor.add("beat", self.owner.beat_forever)
        self._engine.supervise(supervisor)
        supervisor.add("lanes", self._lanes.watch_forever)
        self._sends.supervise(supervisor)
        supervisor.add("bury", janitor.bury_forever)
        supervisor.add("schedules", scheduler.tick_forever)
        supervisor.add("census", census.count_forever)
        supervisor.add("backlog", self.jobs.backlog.watch_forever)
        supervisor.add("job_hints", self._job_hints.publish_forever)
        supervisor.add("signals.publish", self._signals.publish_forever)
        supervisor.add("signals.listen", self._signals.listen_forever)
        self._circuits.supervise(supervisor)
        if port := settings.worker.metrics_port:
            page = MetricsPage(self._metrics, settings.server.host, port)
            supervisor.add("metrics", page.serve_forever)
        return supervisor
