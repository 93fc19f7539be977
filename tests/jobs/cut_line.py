"""A line to PostgreSQL that breaks where a test says: before a word reaches it, or before its answer comes back."""

from __future__ import annotations

import contextlib
import socket as sockets
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

import gevent
from gevent import socket
from gevent.server import StreamServer

__all__ = ["CutLine"]

When = Literal["before it arrives", "before its answer"]


class CutLine:
    """Passes on what is said, on an address of its own."""

    def __init__(self, database_url: str) -> None:
        parts = urlsplit(database_url)
        self._socket = str(Path(parse_qs(parts.query)["host"][0]) / ".s.PGSQL.5432")
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.url = f"postgresql://switchboard@127.0.0.1:{self._server.server_port}{parts.path}"
        self._word = b""
        self._when: When = "before its answer"
        #: How often it broke.
        self.cuts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    def cut(self, word: bytes, when: When) -> None:
        """Break the line once, when *word* is next said."""
        self._word, self._when = word, when

    def _serve(self, client: Any, _: object) -> None:
        server = socket.socket(sockets.AF_UNIX)
        server.connect(self._socket)
        answers = gevent.spawn(self._pass_on, server, client)
        with contextlib.suppress(OSError):
            while said := client.recv(65_536):
                if self._word and self._word in said:
                    self._word = b""
                    self.cuts += 1
                    answers.kill()
                    if self._when == "before its answer":
                        server.sendall(said)
                        server.recv(65_536)
                    break
                server.sendall(said)
        answers.kill()
        server.close()
        client.close()

    @staticmethod
    def _pass_on(server: Any, client: Any) -> None:
        with contextlib.suppress(OSError):
            while said := server.recv(65_536):
                client.sendall(said)
