"""The application of the differential test: it answers with its environ, under any WSGI server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["app"]

#: What a server adds for itself, and what differs from connection to connection.
_OWN = ("gunicorn.", "wsgi.", "gateway.", "REMOTE_PORT", "SERVER_PORT", "SERVER_SOFTWARE")


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    told = {
        key: value for key, value in environ.items() if isinstance(value, str) and not key.startswith(_OWN)
    }
    told["scheme"] = environ["wsgi.url_scheme"]
    told["body"] = environ["wsgi.input"].read().decode("latin-1")
    data = json.dumps(told).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
    return [data]
