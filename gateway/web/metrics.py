"""``/metrics``: the page that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST

from gateway.domain.http import Request, Response
from gateway.telemetry.metrics import Metrics

__all__ = ["metrics_page"]


def metrics_page(metrics: Metrics) -> Callable[[Request], Response]:
    """Return the handler that answers with everything *metrics* has counted."""

    def page(_: Request) -> Response:
        return Response(200, metrics.scrape(), CONTENT_TYPE_LATEST)

    return page
