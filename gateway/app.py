"""Composition: builds every part of a gateway process, wires them, and owns the order of start and stop.

Building does no I/O, so that ``switchboard routes`` and tests can look at a whole gateway without any store.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Iterable, Sequence
from wsgiref.types import StartResponse, WSGIEnvironment

import flask

from gateway.announcements import Announcements, Hearing
from gateway.assistants.client import Assistants
from gateway.assistants.schema import assistant_schema
from gateway.channels.bots import Bots
from gateway.channels.registry import CHANNELS
from gateway.circuits.circuits import Circuits
from gateway.circuits.overview import configured_endpoints
from gateway.conversations.live import Live
from gateway.conversations.transcripts import Transcripts
from gateway.domain.deadline import Deadline
from gateway.domain.errors import StoreUnavailable
from gateway.domain.hint import Hint
from gateway.domain.http import Request, Response, json_response
from gateway.domain.resilience.health import Change
from gateway.intake.accept import Intake
from gateway.intake.dead_letters import DeadLetters as Letters
from gateway.intake.dead_letters import Told
from gateway.intake.proofs import ProofKeeper, rpc_fetch
from gateway.jobs.admin import JobAdmin, Tellers
from gateway.jobs.erasure import Erasure
from gateway.jobs.follow_ups import JobFollowUps
from gateway.jobs.jobs import Jobs
from gateway.jobs.pushes import Pushes
from gateway.jobs.webhooks import Webhooks
from gateway.lanes.lane import Lanes
from gateway.lanes.owner import Owner
from gateway.lanes.takeover import Takeover
from gateway.pipeline import Door, Runner
from gateway.replies.direct import DirectSends
from gateway.replies.kept import KeptAnswers
from gateway.replies.limits import Limits
from gateway.replies.outbox_watch import OutboxWatch
from gateway.replies.platform_client import RpcPlatformClient
from gateway.replies.responses import Responses
from gateway.replies.results import Results
from gateway.replies.sending import Sender
from gateway.replies.signs import SignsOfLife
from gateway.replies.strays import Strays
from gateway.rpc.client import RpcClient
from gateway.settings.server import ServerSettings
from gateway.settings.settings import Settings
from gateway.store.job_hints import JobHints
from gateway.store.kvs import KeyValues
from gateway.store.ledger.ledger import Ledger
from gateway.store.postgres import Database
from gateway.store.rate_limits import RateLimits
from gateway.store.signals import Signals
from gateway.store.tokens import Tokens
from gateway.supervision import Supervisor
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.tracing import Tracing
from gateway.web import probes
from gateway.web.api.bearer import Bearers
from gateway.web.api.breakers import Breakers
from gateway.web.api.conversations import Conversations
from gateway.web.api.dead_letters import DeadLetters
from gateway.web.api.jobs import Jobs as JobOperations
from gateway.web.api.messages import Messages
from gateway.web.api.pages import api_pages
from gateway.web.api.problem import problems_below
from gateway.web.api.turns import Turns
from gateway.web.api.users import Users
from gateway.web.bench import Bench
from gateway.web.chat import chat_pages
from gateway.web.express import Express, Route
from gateway.web.front import front_page, nowhere
from gateway.web.health import Health
from gateway.web.hooks import hook_routes
from gateway.web.metrics import metrics_page

__all__ = ["Gateway"]


class Gateway:
    """One gateway process."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self._bots = Bots(CHANNELS, settings.accounts)
        self._database = Database(settings.store, application="switchboard gateway")
        self.rpc = RpcClient(settings.rpc, on_circuit=self._circuit_changed)
        self.owner = Owner(
            self._database,
            settings.lanes,
            kind="gateway",
            label=f"{socket.gethostname()}:{os.getpid()}",
            on_dead=self._drop_lanes,
        )
        self._signals = Signals(settings.store, audience="gateways", on_hint=self._hear)
        self._job_hints = JobHints(settings.store, settings.jobs.hints_per_partition_max)
        self.jobs = Jobs(self._database, settings.jobs, self._job_hints)
        self.pushes = Pushes(self._database, self.jobs, self._signals)
        self._ledger = Ledger(
            self._database,
            settings.store,
            settings.lanes,
            lambda: self.owner.process,
            follow_ups=JobFollowUps(Webhooks(settings.webhooks), self.jobs, self.pushes),
        )
        self._circuits = Circuits(
            self.rpc,
            self._database,
            self._signals,
            store=settings.store,
            settings=settings.rpc,
            me=lambda: self.owner.process_id,
        )
        self._transcripts = Transcripts(self._database, settings.store)
        self._live = Live(self._transcripts, settings.webchat, poll_s=settings.lanes.poll_s)
        self._announcements = Announcements(self._live, self._signals, self._job_hints, self.owner)
        self._build_replies()
        self.lanes = self._build_lanes()
        self._takeover = Takeover(
            self._database, self.owner, self.lanes, settings.lanes, orphaned=self._announcements.orphaned
        )
        self._hearing = Hearing(self._live, self._results, self._takeover, self.owner)
        self.flask = self._pages()
        routes = [*hook_routes(self._build_door()), *self._operating_routes(metrics)]
        self._bench = Bench(settings.bench, KeyValues(self._database, settings.store))
        if settings.bench.enabled:
            self.flask.register_blueprint(self._bench.pages())
            routes += self._bench.routes()
        self.wsgi = Express(
            self.flask,
            routes,
            body_bytes_max=settings.server.body_bytes_max,
            body_timeout_s=settings.server.body_timeout_s,
        )
        self._supervisor = self._supervise()
        self._tracing = Tracing(settings.telemetry, "switchboard-gateway")
        self._drain_until = float("inf")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Be the WSGI application, for servers that want nothing else."""
        return self.wsgi(environ, start_response)

    @property
    def limits(self) -> ServerSettings:
        """What our own server lets its callers do."""
        return self.settings.server

    def start(self) -> None:
        """Start beating, looking, writing and listening.  Does not wait for the stores: /readyz tells."""
        self._tracing.start()
        self._supervisor.start()

    def drain(self, deadline: float) -> None:
        """Bring running work to its end by *deadline* (monotonic seconds); deliveries may still arrive meanwhile.

        Streams first: a page that reconnects reaches another process while this one still answers.  But a page that
        does not read must not use up the lanes' time, so streams are waited for last.  Then the lanes: running turns
        finish, and lanes with work left are freed for other processes.  Their replies are the workers' to send, but
        for what is being sent here already.  Safe twice: the first deadline holds.
        """
        self._drain_until = min(self._drain_until, deadline)
        self._direct.close()
        self._live.end()
        self._bench.end()
        self.lanes.drain(self._drain_until)
        self._direct.drain(self._drain_until)
        self._live.stop(self._drain_until)

    def stop(self, deadline: float) -> None:
        """End by *deadline*, in the one order in which nothing is cut off that something else still needs.

        1. Drain: whoever is being answered gets the answer, and what is on its way to a platform its end.
        2. The children: no beat, poll or flush runs from here on, so nothing else uses what is closed below.
        3. What became of responses is written: it needs this process's row to be alive still.
        4. Leave the ledger: whatever is still held (turns that did not end in time) is free for others at once.
        5. Tell the others, so that they need not poll for it.  Redis last of the stores: it only carries this word.
        6. The connections, which nobody uses any more.
        7. Spans, where they are sent: all that they tell of has ended.

        Safe twice, and if never started.
        """
        self.drain(deadline)
        self._direct.stop(deadline)
        self._supervisor.stop(deadline)
        try:
            self._responses.flush()
            self.owner.leave()
        except StoreUnavailable:
            # Closed: others will find this process dead by its beat, and its responses unknown.
            pass
        self._announcements.orphaned()
        self._signals.flush()
        self._job_hints.flush()
        self._signals.close()
        self._job_hints.close()
        self._rates.close()
        self._circuits.close()
        self.rpc.stop(Deadline(max(deadline, time.monotonic())))
        self._database.close()
        self._tracing.stop(deadline)

    def _build_replies(self) -> None:
        ledger, lanes = self._ledger, self.settings.lanes
        self._outbox_watch = OutboxWatch(ledger.outbox_counts)
        self._responses = Responses(ledger.finish)
        self._results = Results(
            ledger.results,
            self._claim_responses,
            lambda rows: self._responses.note(rows, "push", "caller_left"),
            poll_s=lanes.poll_s,
        )
        private_allowed = self.settings.rpc.private_addresses_allowed
        platform = RpcPlatformClient(self.rpc, private_addresses_allowed=private_allowed)
        self._signs = SignsOfLife(platform)
        self._rates = RateLimits(self.settings.store)
        sender = Sender(
            self.settings,
            CHANNELS,
            # Without Redis the workers alone send, and share the platforms' rates.
            Limits(self._rates, share=lambda: 0.0),
            platform.on_behalf_of,
            lives=self.owner.lives_in,
        )
        self._direct = DirectSends(
            sender,
            self._database,
            ledger.write_ends,
            self.settings.store,
            rows_max=self.settings.outbox.gateway_sends_max,
            left=self._announcements.left_to_workers,
        )
        self._strays = Strays(
            ledger.outbox_owned,
            lambda row: row in self._responses or row in self._direct,
            lambda rows: self._responses.note(rows, "push", "claim_lost"),
            every_s=lanes.dead_after_s,
        )

    def _build_lanes(self) -> Lanes:
        runner = Runner(
            self._bots,
            Assistants(self.settings.assistants, self.rpc, self._transcripts, sharers=self._sharers()).get,
            self._results,
            self._responses,
            self._announcements,
            signs=self._signs,
            deaths_max=self.settings.lanes.deaths_max,
            process_id=lambda: self.owner.process.process_id,
            direct=self._direct,
        )
        return Lanes(
            self._ledger,
            self.owner,
            self.settings.lanes,
            run=runner.run,
            settled=runner.settled,
            unstorable=runner.unstorable,
            tenants=self._counted_tenants(),
        )

    def _counted_tenants(self) -> dict[tuple[str, str], str]:
        """Return the tenants whose turns are counted: without a bound nobody's, and nothing is spent on it."""
        if self.settings.lanes.tenant_turns_in_flight_max is None:
            return {}
        return self._sharers()

    def _sharers(self) -> dict[tuple[str, str], str]:
        return {key: account.sharer for key, account in self.settings.accounts.items()}

    def _build_door(self) -> Door:
        intake = Intake(
            self._ledger,
            self.lanes,
            self._outbox_watch.rows,
            lanes=self.settings.lanes,
            outbox=self.settings.outbox,
            tenants=self._counted_tenants(),
        )
        return Door(
            self._bots,
            intake,
            self.lanes,
            self._results,
            self._responses,
            self._announcements,
            proofs=ProofKeeper(rpc_fetch(self.rpc)),
            signs=self._signs,
            kept=KeptAnswers(
                self._ledger.tell,
                self._responses.hold,
                self.owner.lives_in,
            ),
            keep_delivery=self._ledger.dead_letter,
            # Random, not secret (W3C trace context, section 2.2.3): no system call a message.
            new_trace_id=lambda: f"{random.getrandbits(128):032x}",
        )

    def _claim_responses(self, turn_ids: Sequence[int]) -> dict[int, list[int]]:
        claimed = self._ledger.claim_responses(turn_ids)
        for rows in claimed.values():
            self._responses.hold(rows)
        return claimed

    def _drop_lanes(self) -> None:
        self.lanes.drop()
        self._direct.drop()
        self._results.release()

    def _hear(self, hint: Hint) -> None:
        self._hearing.hear(hint)
        self._circuits.hear(hint)

    def _circuit_changed(self, endpoint: str, change: Change) -> None:
        self._circuits.changed(endpoint, change)

    def _pages(self) -> flask.Flask:
        """Return the pages that can wait for Flask: the chat, and what operators ask."""
        settings = self.settings
        tellers = Tellers(self._signals, self._job_hints)
        pages = flask.Flask("gateway.web")
        pages.register_blueprint(front_page(settings))
        pages.register_blueprint(chat_pages(settings, self._live, self._transcripts))
        operations = (
            Breakers(self._circuits, configured_endpoints(settings.assistants)),
            JobOperations(
                JobAdmin(self._database, tellers), self.jobs, payload_bytes_max=settings.jobs.payload_bytes_max
            ),
            Conversations(self._database),
            Turns(self._database),
            Messages(self.pushes),
            DeadLetters(Letters(self._database, self._bots, lambda: Told(self._signals, self._job_hints))),
            Users(Erasure(self._database, self._job_hints)),
        )
        pages.register_blueprint(api_pages(operations, Bearers(settings.api.tokens, Tokens(self._database))))
        problems_below(pages, "/api/v1/", elsewhere=nowhere)
        return pages

    def _operating_routes(self, metrics: Metrics) -> list[Route]:
        health = Health(
            self.settings.server,
            required={
                "postgres": probes.postgres(self._database),
                "schema": probes.schema(self._database),
                "lease": probes.lease(self.owner),
            },
            wanted={"redis": probes.redis(self._signals.ping)},
        )

        def schema(_: Request) -> Response:
            return json_response(assistant_schema())

        return [
            Route(("GET",), "/healthz", health.healthz, name="healthz"),
            Route(("GET",), "/readyz", health.readyz, name="readyz"),
            Route(("GET",), "/metrics", metrics_page(metrics), name="metrics"),
            Route(("GET",), "/api/v1/assistant.schema.json", schema, name="assistant_schema"),
        ]

    def _supervise(self) -> Supervisor:
        supervisor = Supervisor()
        # The beat first: nothing can be accepted before this process is in the ledger.
        supervisor.add("beat", self.owner.beat_forever)
        supervisor.add("takeover", self._takeover.watch_forever)
        supervisor.add("results", self._results.poll_forever)
        supervisor.add("responses", self._responses.write_forever)
        supervisor.add("strays", self._strays.watch_forever)
        supervisor.add("outbox_watch", self._outbox_watch.count_forever)
        supervisor.add("live", self._live.poll_forever)
        supervisor.add("signals.publish", self._signals.publish_forever)
        supervisor.add("signals.listen", self._signals.listen_forever)
        supervisor.add("job_hints", self._job_hints.publish_forever)
        supervisor.add("backlog", self.jobs.backlog.watch_forever)
        self._circuits.supervise(supervisor)
        return supervisor
