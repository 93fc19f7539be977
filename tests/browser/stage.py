"""An assistant whose answers a test plays, piece by piece, on a thread of its own."""

from __future__ import annotations

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["GUARD_S", "Held", "Stage", "text"]

GUARD_S = 15.0


def text(words: str, **fields: Any) -> dict[str, Any]:
    """Return a text part."""
    return {"type": "text", "text": words, **fields}


class Held:
    """The answer to one message, which is streamed as the test says it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._pieces: queue.Queue[tuple[str, Any]] = queue.Queue()

    def wait_asked(self) -> None:
        assert self.asked.wait(GUARD_S), "the assistant was not asked"

    def typing(self) -> None:
        self._pieces.put(("typing", {}))

    def delta(self, words: str) -> None:
        self._pieces.put(("delta", {"text": words}))

    def part(self, part: dict[str, Any]) -> None:
        self._pieces.put(("part", part))

    def reply(self, *parts: dict[str, Any], **fields: Any) -> None:
        self._pieces.put(("reply", {"parts": list(parts), **fields}))

    def next(self) -> tuple[str, Any]:
        return self._pieces.get(timeout=GUARD_S)


class Stage:
    """Says "echo: ..." to what no test has prepared.  ``heard`` is every message that came, in order."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self._held: dict[str, Held] = {}
        self._answers: dict[str, list[dict[str, Any]]] = {}
        stage = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                stage._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/turn"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(GUARD_S)
        self._server.server_close()

    def hold(self, words: str) -> Held:
        """Have the answer to *words* streamed by the test."""
        return self._held.setdefault(words, Held())

    def answer(self, words: str, *parts: dict[str, Any]) -> None:
        """Have *words* answered with *parts*."""
        self._answers[words] = list(parts)

    def times_heard(self, words: str) -> int:
        """Return how many turns said *words*: more than one is a message taken twice."""
        return sum(said(message) == words for message in self.heard)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        message = json.loads(request.rfile.read(int(request.headers["Content-Length"])))["message"]
        self.heard.append(message)
        words = said(message)
        held = self._held.get(words)
        request.send_response(200)
        if held is None:
            body = json.dumps({"parts": self._answers.get(words, [text(f"echo: {words}")])}).encode()
            request.send_header("Content-Type", "application/json")
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)
            return
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        held.asked.set()
        name = ""
        while name != "reply":
            name, data = held.next()
            request.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())


def said(message: dict[str, Any]) -> str:
    words = message.get("value") or message.get("text", "")
    assert isinstance(words, str)
    return words
