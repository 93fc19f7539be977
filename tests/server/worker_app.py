"""A WSGI application for gunicorn processes under test.  What happens to it, it writes to the file that MARKS names."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from gateway.settings.server import ServerSettings

__all__ = ["app"]

MARKS = Path(os.environ["MARKS"])
#: Words of what is to fail or last: drain_raises, drain_lasts, stop_raises, stop_lasts, load_raises; or ``limited``.
FAULTS = os.environ.get("FAULTS", "").split()


def mark(word: str) -> None:
    with MARKS.open("a") as marks:
        marks.write(f"{word}\n")


class App:
    """Answers by its routes, and has more to say to our worker."""

    def __init__(self) -> None:
        self._gate = Event()
        self.streams: list[Any] = []
        if "limited" in FAULTS:
            self.limits = ServerSettings(drain_s=0.5)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        route = environ["PATH_INFO"].strip("/") or "echo"
        return getattr(self, f"_{route}")(environ, start_response)  # type: ignore[no-any-return]

    def drain(self, deadline: float) -> None:
        mark("drain")
        for stream in self.streams:
            stream.end(b"retry: 10\n\n")
        if "drain_lasts" in FAULTS:
            gevent.sleep(deadline - time.monotonic())
        if "drain_raises" in FAULTS:
            raise RuntimeError("drain")

    def stop(self, deadline: float) -> None:
        if "stop_lasts" in FAULTS:
            gevent.sleep(0.8 * (deadline - time.monotonic()))
        mark("stop")
        if "stop_raises" in FAULTS:
            raise RuntimeError("stop")

    def _echo(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Pid", str(os.getpid()))])
        return [environ["wsgi.input"].read()]

    def _environ(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({key: value for key, value in environ.items() if type(value) in {str, bool}}).encode()]

    def _slow(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Wait until somebody asks for /let_go."""
        mark("slow")
        self._gate.wait()
        return self._echo(environ, start_response)

    def _work(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Take a moment, as an application does that asks others."""
        gevent.sleep(0.01)
        return self._echo(environ, start_response)

    def _let_go(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self._gate.set()
        return self._echo(environ, start_response)

    def _stands_still(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        mark("stands_still")
        while True:
            pass

    def _gives_up(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """End the process as gateway.supervision does."""

        def give_up() -> None:
            raise SystemExit(70)

        gevent.spawn(give_up)
        return self._echo(environ, start_response)

    def _events(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        body: Iterable[bytes] = environ["gateway.hold"](
            self.streams.append, lambda reason: mark(f"stream {reason}"), last=b"retry: 20\n\n"
        )
        return body


if "load_raises" in FAULTS:
    raise RuntimeError("expected to be loaded, got a fault")
app = App()
