"""A worker's tools, and one run of one job with them: for tests of handlers that no lane or partition matters to."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from gateway.channels.registry import CHANNELS
from gateway.domain.deadline import Deadline
from gateway.domain.job import Job, JobOutcome
from gateway.jobs.jobs import Jobs
from gateway.lanes.owner import Owner
from gateway.replies.limits import Limits
from gateway.replies.platform_client import RpcPlatformClient
from gateway.replies.sending import Sender
from gateway.rpc.client import RpcClient
from gateway.settings.accounts import Account
from gateway.settings.assistants import AssistantSettings
from gateway.settings.lanes import LaneSettings
from gateway.settings.rpc import RpcSettings
from gateway.settings.secret import Secret
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.settings.webhooks import WebhookSettings
from gateway.store.job_hints import JobHints
from gateway.store.postgres import Database
from gateway.store.rate_limits import RateLimits
from gateway.store.signals import Signals
from tests.support.waiting import GUARD_S
from workers.context import Context, Tools
from workers.registry import Handler
from workers.sends import Sends

__all__ = ["Handling", "job"]


def job(handler: Handler, payload: Any, *, job_id: int = 1, lane: str | None = None, **how: Any) -> Job:
    """A job as its worker has read it."""
    return Job(
        job_id=job_id,
        place=how.pop("place", job_id),
        partition=0,
        fence=1,
        priority=1,
        kind=handler.kind,
        lane=lane,
        payload=msgspec.json.encode(payload).decode(),
        attempts=how.pop("attempts", 0),
        deaths=0,
        wait_s=0.0,
        keep_s=0.0,
        trace_id=how.pop("trace_id", "0" * 32),
        age_s=0.0,
        claim=1,
    )


class Handling:
    """A worker of the ledger with real tools; its wall clock stands still at what the test says."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        *,
        accounts: Mapping[tuple[str, str], Account] | None = None,
        webhooks: Mapping[str, WebhookSettings] | None = None,
        rpc: RpcSettings | None = None,
        assistants: Mapping[str, AssistantSettings] | None = None,
        lanes: LaneSettings | None = None,
    ) -> None:
        store = StoreSettings(database_url=Secret(database_url), redis_url=Secret(redis_url))
        self.settings = Settings(
            home=Path("/nonexistent"),
            accounts=accounts or {},
            assistants=assistants or {},
            lanes=lanes or LaneSettings(),
            webhooks=webhooks or {},
            store=store,
            rpc=rpc or RpcSettings(),
        )
        self.database = Database(store)
        self.owner = Owner(
            self.database, self.settings.lanes, kind="worker", label="handling", on_dead=lambda: None
        )
        self.owner.register()
        self._hints = JobHints(store, 1_000)
        self._signals = Signals(store, audience="workers", on_hint=lambda _: None)
        self._rates = RateLimits(store)
        self.rpc = RpcClient(self.settings.rpc)
        self.now = time.time()
        self.draw: Callable[[], float] = random.random
        self.tools = Tools(
            settings=self.settings,
            database=self.database,
            owner=self.owner,
            rpc=self.rpc,
            channels=CHANNELS,
            jobs=Jobs(self.database, self.settings.jobs, self._hints),
            signals=self._signals,
            sends=Sends(self.database, lambda: self.owner.process, store, look_every_s=3_600),
            sender=Sender(
                self.settings,
                CHANNELS,
                Limits(self._rates, share=lambda: 1.0),
                RpcPlatformClient(self.rpc, private_addresses_allowed=True).on_behalf_of,
                lives=self.owner.lives_in,
                clock=time.monotonic,
                wall_clock=lambda: self.now,
                draw=self._drawn,
            ),
            clock=time.monotonic,
            wall_clock=lambda: self.now,
            draw=self._drawn,
        )
        #: What was reported of a job's progress.
        self.reports: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.owner.leave()
        self._signals.close()
        self._rates.close()
        self._hints.close()
        self.rpc.stop(Deadline(time.monotonic()))
        self.database.close()

    def _drawn(self) -> float:
        return self.draw()

    def run(self, handler: Handler, given: Job) -> JobOutcome:
        """Return what the handler makes of the job."""
        context = Context(
            given, Deadline(time.monotonic() + GUARD_S), self.tools, lambda _, value: self.reports.append(value)
        )
        return handler.perform(context, handler.decode(given.payload))
