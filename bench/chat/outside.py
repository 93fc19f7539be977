"""``python -m bench.chat.outside``: all that a contestant meets: its users, the assistant, and the stand-in for Slack.

One process on the core that is not the contestant's.  It prints the ports of the assistant and of the stand-in, one
line of JSON; then plays the scenes that stdin orders (:class:`~bench.chat.scenes.Order`), one line each, and prints
what came of them.  uvloop makes it cheap enough.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from collections.abc import Callable
from urllib.parse import parse_qs

import msgspec

from bench.chat.messages import CONVERSATIONS, TOKEN, answer, number_asked
from bench.chat.scenes import Order, Scene
from bench.chat.wire import Answering, Serving

__all__ = ["Outside"]

_JSON = b"HTTP/1.1 %d OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
_POST_MESSAGE = b"POST /api/chat.postMessage "
_BEARER = f"Bearer {TOKEN}".encode()
#: The assistant's longest answers in bursts; a model's differ by far more.
THINKING_MAX_S = 0.02
#: What else is asked of Slack, by those that want to know who they are and who speaks.
_OTHERS = {
    b"auth.test": {
        "ok": True, "url": "https://bench.slack.com/", "team": "bench", "user": "bot", "team_id": "T0BENCH00",
        "user_id": "U0BENCHBOT", "bot_id": "B0BENCH00", "is_enterprise_install": False,
    },
    b"users.info": {
        "ok": True,
        "user": {
            "id": "U0BENCH0000", "team_id": "T0BENCH00", "name": "guest", "real_name": "A Guest", "is_bot": False,
            "profile": {"display_name": "guest", "real_name": "A Guest", "email": "guest@bench.example"},
        },
    },
}  # fmt: skip


class Posted(msgspec.Struct):
    """What chat.postMessage is given, as far as it is looked at."""

    channel: str
    text: str = ""
    thread_ts: str = ""


_POSTED = msgspec.json.Decoder(Posted)


class Outside:
    """The assistant and the stand-in, and the scene that is being played."""

    def __init__(self) -> None:
        self._scene: Scene | None = None
        self._said = [0] * CONVERSATIONS
        self._times = itertools.count(1)

    async def play(self, order: Order) -> bytes:
        """Play a scene; return what came of it, as JSON."""
        self._scene = Scene(order, self._said)
        outcome = await self._scene.play()
        self._scene = None
        return msgspec.json.encode(outcome)

    def assistant(self, head: bytes, body: bytes) -> bytes:
        """Answer a question."""
        number = number_asked(body)
        if number is None:
            return _json(b'{"error":"a question without a number"}', 400)
        return _json(b'{"parts":[{"type":"text","text":"%b"}]}' % answer(number).encode())

    def thinking_s(self) -> float:
        """Return how long the assistant thinks: in bursts, where order shows, not the same for each question."""
        return random.uniform(0.0, THINKING_MAX_S) if self._scene is not None and self._scene.thoughtful else 0.0

    def slack(self, head: bytes, body: bytes) -> bytes:
        """Take what is posted, as Slack does."""
        if not head.startswith(_POST_MESSAGE):
            return self._other(head)
        if _BEARER not in head:
            return _json(b'{"ok":false,"error":"invalid_auth"}')
        try:
            posted = _POSTED.decode(body) if body.startswith(b"{") else _form(body)
        except msgspec.ValidationError:
            return _json(b'{"ok":false,"error":"channel_not_found"}')
        if self._scene is not None:
            self._scene.posted((posted.channel, posted.thread_ts), posted.text)
        ts = b"%d.%06d" % divmod(1_800_000_000_000_000 + next(self._times), 1_000_000)
        return _json(
            b'{"ok":true,"channel":"%b","ts":"%b","message":{"user":"U0BENCHBOT","type":"message","ts":"%b",'
            b'"bot_id":"B0BENCH00","app_id":"A0BENCH00","text":"%b","team":"T0BENCH00"}}'
            % (posted.channel.encode(), ts, ts, posted.text.encode())
        )

    def _other(self, head: bytes) -> bytes:
        method = head.split(b" ", 2)[1].partition(b"?")[0].rpartition(b"/")[2]
        return _json(msgspec.json.encode(_OTHERS.get(method, {"ok": False, "error": "unknown_method"})))


def _json(body: bytes, status: int = 200) -> bytes:
    return _JSON % (status, len(body), body)


def _form(body: bytes) -> Posted:
    fields = parse_qs(body.decode())
    return msgspec.convert({name: values[0] for name, values in fields.items()}, Posted)


async def _serve(answering: Answering, delay_s: Callable[[], float] = float) -> int:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Serving(answering, delay_s), "127.0.0.1", 0, backlog=1_024)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def main() -> None:
    """Obey until stdin ends."""
    outside = Outside()
    ports = [await _serve(outside.assistant, outside.thinking_s), await _serve(outside.slack)]
    print(msgspec.json.encode(ports).decode(), flush=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        outcome = await outside.play(msgspec.json.decode(line, type=Order))
        print(outcome.decode(), flush=True)


if __name__ == "__main__":
    try:
        from uvloop import run
    except ImportError:
        # Right in all it says, and too slow for numbers: the benchmark does not start without.
        from asyncio import run
    run(main())
