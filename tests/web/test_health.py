"""``/healthz``, ``/readyz`` and ``/metrics``: what they answer, how long they take, what they cost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.domain.http import Request
from gateway.lanes.owner import Owner
from gateway.settings.lanes import LaneSettings
from gateway.settings.secret import Secret
from gateway.settings.server import ServerSettings
from gateway.settings.store import StoreSettings
from gateway.store.migrate import migrate
from gateway.store.postgres import Database
from gateway.telemetry.metrics import Metrics
from gateway.web import probes
from gateway.web.health import Health, Probe
from gateway.web.metrics import metrics_page

REQUEST = Request("GET", "/readyz", "", {}, b"")
GUARD_S = 10.0


def health(
    required: dict[str, Probe],
    wanted: dict[str, Probe] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Health:
    settings = ServerSettings(probe_timeout_s=0.2, probe_fresh_s=1.0)
    return Health(settings, required=required, wanted=wanted or {}, clock=clock)


def ready(page: Health) -> tuple[int, dict[str, Any]]:
    with gevent.Timeout(GUARD_S):
        response = page.readyz(REQUEST)
    assert ("Cache-Control", "no-store") in response.headers
    return response.status, json.loads(response.body)


def fine() -> str:
    return ""


def refused() -> str:
    raise StoreUnavailable("at 10.0.0.7 with hunter2", reason="postgres_unreachable", retry_after_s=1)


def broken() -> str:
    raise KeyError("hunter2")


def test_healthz_asks_nothing() -> None:
    """A process that waits for its store must not be killed for it."""
    assert health({"postgres": broken}).healthz(REQUEST).status == 200


def test_ready_when_everything_required_answers() -> None:
    assert ready(health({"postgres": fine}, {"redis": fine})) == (
        200,
        {
            "ready": True,
            "degraded": False,
            "checks": {
                "postgres": {"ok": True, "required": True, "reason": ""},
                "redis": {"ok": True, "required": False, "reason": ""},
            },
        },
    )


@pytest.mark.parametrize(
    ("probe", "reason"),
    [(lambda: "no lease", "no lease"), (refused, "postgres_unreachable"), (broken, "KeyError")],
)
def test_not_ready_with_the_reason_and_nothing_else_of_the_error(probe: Probe, reason: str) -> None:
    status, body = ready(health({"lease": fine, "postgres": probe}))

    assert status == 503
    assert body["ready"] is False
    assert body["checks"]["postgres"] == {"ok": False, "required": True, "reason": reason}
    assert "hunter2" not in str(body)


def test_without_what_is_only_wanted_it_is_degraded_and_ready() -> None:
    status, body = ready(health({"postgres": fine}, {"redis": broken}))

    assert (status, body["ready"], body["degraded"]) == (200, True, True)


def test_a_probe_that_hangs_costs_the_time_limit_once_and_is_ended() -> None:
    """Two hang: they wait together, and neither stays behind."""
    never, ended = Event(), []

    def hang() -> str:
        try:
            never.wait()
        finally:
            ended.append("ended")
        return ""

    began = time.monotonic()
    status, body = ready(health({"postgres": hang, "schema": hang, "lease": fine}))

    assert time.monotonic() - began < 2 * 0.2
    assert status == 503
    assert [check["reason"] for check in body["checks"].values()] == ["no answer in time"] * 2 + [""]
    gevent.idle()
    assert ended == ["ended", "ended"]


def test_many_callers_cost_one_round_of_probes() -> None:
    asked: list[str] = []
    now = 100.0

    def probe() -> str:
        asked.append("asked")
        gevent.sleep(0)
        return ""

    page = health({"postgres": probe}, clock=lambda: now)
    with gevent.Timeout(GUARD_S):
        gevent.joinall([gevent.spawn(page.readyz, REQUEST) for _ in range(50)], raise_error=True)
    assert asked == ["asked"]

    now += 1.0
    ready(page)
    assert asked == ["asked", "asked"]


def test_postgres_that_answers_and_one_that_is_not_there(database: str) -> None:
    there = Database(StoreSettings(database_url=Secret(database)))
    gone = Database(StoreSettings(database_url=Secret("postgresql:///x?host=/nonexistent")))
    try:
        _, body = ready(health({"there": probes.postgres(there), "gone": probes.postgres(gone)}))
    finally:
        there.close()
        gone.close()

    assert body["checks"]["there"]["ok"]
    assert body["checks"]["gone"]["reason"] == "postgres_unreachable"


def test_a_schema_is_asked_for_until_it_is_there_and_stays_found(empty_database: str) -> None:
    """A newer version's migration must not make the running processes unready."""
    store = Database(StoreSettings(database_url=Secret(empty_database)))
    probe = probes.schema(store)
    try:
        assert probe() == "not migrated: run `switchboard migrate`"
        migrate(empty_database)
        assert probe() == ""
        store.run(lambda cursor: cursor.execute("UPDATE ledger_functions SET fingerprint = 'a newer one'"))
        assert probe() == ""
        assert probes.schema(store)() != ""
    finally:
        store.close()


def test_a_process_is_ready_while_its_lease_holds(database: str) -> None:
    store = Database(StoreSettings(database_url=Secret(database)))
    now = 0.0
    owner = Owner(
        store, LaneSettings(), kind="gateway", label="test", on_dead=lambda: None, clock=lambda: now
    )
    probe = probes.lease(owner)
    try:
        assert probe() == "no lease"
        owner.register()
        assert probe() == ""
        now = LaneSettings().dead_after_s
        assert probe() == "no lease"
    finally:
        owner.leave()
        store.close()


def test_redis_is_asked_by_its_ping() -> None:
    assert probes.redis(lambda: True)() == ""
    with pytest.raises(ConnectionError):
        probes.redis(lambda: (_ for _ in ()).throw(ConnectionError()))()


def test_the_metrics_page_is_prometheus_text() -> None:
    metrics = Metrics()
    telemetry.attach(metrics)
    try:
        telemetry.event("outbox.claimed", rows=3)
    finally:
        telemetry.detach(metrics)
    response = metrics_page(metrics)(Request("GET", "/metrics", "", {}, b""))

    assert response.status == 200
    assert response.content_type.startswith("text/plain; version=")
    assert b"switchboard_outbox_claimed_total 3.0\n" in response.body
