"""A sample assistant in a process of its own, and the plainest possible client."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

__all__ = ["Process", "body", "running"]

START_MAX_S = 30.0
CALL_MAX_S = 30.0


def body(text: str, *, fence: int = 1, conversation: str = "45", state: object = None, **more: Any) -> bytes:
    """Return a turn as the gateway would send it."""
    turn = {
        "turn_id": "123",
        "fence": fence,
        "sequence": 1,
        "attempt": 1,
        "deadline_ms": 30_000,
        "conversation": {"id": conversation, "channel": "webchat", "account": "sample", "state": state},
        "user": {"id": "9", "name": "Ann", "locale": "en", "memory": None},
        "message": {"kind": "text", "text": text},
        "surface": {"shows": ["text", "card", "list"], "text_chars_max": 4000, "streams": True, "pushes": True},
    }
    return msgspec.json.encode(turn | more)


class Process:
    """A sample assistant that runs."""

    def __init__(self, popen: subprocess.Popen[str], port: int) -> None:
        self.popen = popen
        self.port = port

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection; the caller closes it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=CALL_MAX_S)

    def ask(self, sent: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """POST a turn; return the status and the whole body."""
        status, _, answer = self.call("POST", "/turn", sent, headers)
        return status, answer

    def call(
        self, method: str, path: str, sent: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of a call."""
        connection = self.connect()
        try:
            connection.request(method, path, sent, dict(headers or {}))
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()


@contextmanager
def running(name: str, *arguments: str, **environ: str) -> Iterator[Process]:
    """Start the assistant called *name* (``bartender``, ``tasted``) on a free port, and stop it by its signal."""
    popen = subprocess.Popen(
        [sys.executable, "-m", f"gateway.demo.{name}", "--port", "0", *arguments],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert popen.stdout is not None
        line = popen.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)$", line)
        assert found, (line, popen.stderr.read() if popen.stderr else "")
        yield Process(popen, int(found[1]))
    finally:
        popen.terminate()
        popen.communicate(timeout=START_MAX_S)
