"""A worker's ``/metrics``: one small server, because a worker has no other."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from gevent.pywsgi import WSGIServer
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.telemetry.metrics import Metrics

__all__ = ["MetricsPage"]


class MetricsPage:
    """Answers every GET with everything *metrics* has counted."""

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        self._metrics = metrics
        self._address = (host, port)

    def serve_forever(self) -> None:
        """Listen until killed.  To be supervised.

        :raises OSError: the port is taken.
        """
        with socket.create_server(self._address) as listener:
            WSGIServer(listener, self._page, log=None).serve_forever()

    def _page(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            start_response("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return []
        page = self._metrics.scrape()
        start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST), ("Content-Length", str(len(page)))])
        return [page]
