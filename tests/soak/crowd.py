"""Guests of one gateway, most of them with bad manners: they talk, watch, hang up, send half a request, forge, and ask
assistants that fail.  New ones come all the time; nobody is the same for long."""

from __future__ import annotations

import http.client
import random
import socket
import struct
import time
from collections import Counter

import gevent
import msgspec
from gevent.pool import Group

from gateway.domain.reply import Reply, Text
from tests.support.assistant import says, turn_of
from tests.support.calling import call
from tests.support.slack_platform import Delivery, SlackPlatform
from tests.support.stand_in import Call, cut, status
from tests.support.visitor import Visitor

__all__ = ["Crowd", "moody"]

WAIT_S = 5
#: What makes close() send a reset instead of waiting for the other end: linger for no time at all.
_RESET = struct.pack("ii", 1, 0)


def moody(rng: random.Random) -> object:
    """Return an assistant that mostly answers, at once or as a stream, and sometimes fails in every way."""
    ways = [*["whole"] * 16, *["stream"] * 8, "500", "cut", "garbage", "wrong", "slow"]

    def answer(asked: Call) -> None:
        text = turn_of(asked).message.text
        match rng.choice(ways):
            case "whole":
                says(Reply((Text(f"echo: {text}"),)))(asked)
            case "stream":
                pieces = [
                    f"event: delta\ndata: {msgspec.json.encode({'text': word}).decode()}\n\n" for word in text
                ]
                reply = msgspec.json.encode({"parts": [{"type": "text", "text": text}]}).decode()
                body = "".join([*pieces, f"event: reply\ndata: {reply}\n\n"])
                asked.answer(body.encode(), media="text/event-stream")
            case "500":
                status("500 Internal Server Error")(asked)
            case "cut":
                cut(asked)
            case "garbage":
                asked.answer(b"<html>" * 1_000)
            case "wrong":
                asked.answer(b'{"parts": [{"type": "hologram"}]}')
            case "slow":
                gevent.sleep(2)
                says("too late for the hasty")(asked)

    return answer


class Crowd:
    """So many guests at once, for as long as wanted."""

    def __init__(self, port: int, slack: SlackPlatform, rng: random.Random) -> None:
        #: What guests did, and what they were answered.
        self.seen: Counter[str] = Counter()
        self._port = port
        self._slack = slack
        self._rng = rng
        self._manners = (
            *(self.talk,) * 6,
            *(self.watch,) * 4,
            self.watch_and_vanish,
            self.ask_and_vanish,
            self.half_a_head,
            self.half_a_body,
            self.forge,
            self.post,
            self.command,
            self.ask_the_failing,
        )

    def stay(self, seconds: float, *, guests: int) -> None:
        """Have *guests* come and go for so long; all have left when this returns."""
        until_s = time.monotonic() + seconds
        group = Group()
        for _ in range(guests):
            group.spawn(self._come_again, until_s)
        group.join()

    def _come_again(self, until_s: float) -> None:
        while time.monotonic() < until_s:
            manner = self._rng.choice(self._manners)
            try:
                answer = manner()
            except (OSError, http.client.HTTPException) as error:
                answer = type(error).__name__
            self.seen[f"{manner.__name__} {answer}"] += 1
            gevent.sleep(self._rng.uniform(0, 0.1))

    # Each returns what came of it.

    def talk(self) -> str:
        """Two messages of a new visitor, each with its answer."""
        visitor = Visitor()
        visitor.say(self._port, "good evening", wait_s=WAIT_S)
        return str(visitor.say(self._port, "and good night", wait_s=WAIT_S).status)

    def watch(self) -> str:
        """A page that opens its stream, says something and reads its answer."""
        visitor = Visitor()
        stream = self._stream(visitor)
        response = stream.getresponse()
        visitor.say(self._port, "are you there")
        while line := response.readline():
            if line.startswith(b"event: turn"):
                break
        response.close()
        stream.close()
        return str(response.status)

    def watch_and_vanish(self) -> str:
        """A phone that is gone before the first byte of its stream."""
        stream = self._stream(Visitor())
        _reset(stream.sock)
        return "gone"

    def ask_and_vanish(self) -> str:
        """A caller who does not wait for the answer."""
        visitor = Visitor()
        body = msgspec.json.encode({"id": "message-1", "text": "never mind"})
        return self._raw(visitor.path, body, {**visitor.headers(WAIT_S), "Content-Length": str(len(body))})

    def half_a_head(self) -> str:
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.sendall(b"POST /hooks/webchat/shop HTTP/1.1\r\nHost: x\r\nCook")
            _reset(connection)
        return "gone"

    def half_a_body(self) -> str:
        visitor = Visitor()
        return self._raw(visitor.path, b'{"id": "mess', {**visitor.headers(), "Content-Length": "100000"})

    def forge(self) -> str:
        delivery = self._slack.event("let me in", channel="forged")
        headers = delivery.headers(secret="a guess")
        return str(call(self._port, "/hooks/slack/shop", body=delivery.body, headers=headers).status)

    def post(self) -> str:
        """An event, whose answer goes by the outbox."""
        channel = f"C{self._rng.randrange(10**9)}"
        return str(self._slack.event("hello", channel=channel).send(self._port).status)

    def command(self) -> str:
        channel = f"C{self._rng.randrange(10**9)}"
        return str(self._slack.command("hello", channel=channel).send(self._port).status)

    def ask_the_failing(self) -> str:
        """An assistant that is not there, one that may be too slow, and a delivery that nobody can read."""
        match self._rng.randrange(3):
            case 0:
                answer = Visitor("nowhere").say(self._port, "anybody", wait_s=WAIT_S)
            case 1:
                answer = Visitor("hasty").say(self._port, "quick", wait_s=WAIT_S)
            case _:
                answer = Delivery(b'{"type": "telegram"}').send(self._port)
        return str(answer.status)

    def _stream(self, visitor: Visitor) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=WAIT_S)
        connection.request("GET", "/chat/shop/events", headers={"Cookie": visitor.cookie})
        return connection

    def _raw(self, path: str, body: bytes, headers: dict[str, str]) -> str:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + body)
            gevent.sleep(self._rng.uniform(0, 0.02))
            _reset(connection)
        return "gone"


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()
