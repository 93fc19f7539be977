"""A deployment for tests of bench.locust, without any store: it answers at once, and has a habit.

honest    answers everything once; what comes again is known
losing    forgets every third message
doubling  answers every third one twice
forgetful answers a redelivery again
swapping  answers every other message behind the one that follows it in its conversation
babbling  says something else to every third
straying  says every third answer to somebody else
shedding  refuses every third with 503
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable

import gevent
import msgspec
from gevent.lock import Semaphore

from bench.chat.messages import answer, number_asked
from bench.locust.platforms.delivery import json_answer, request
from bench.locust.wire import Connections, serve

__all__ = ["Deployment"]

_EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_SHED = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
_SLACK = re.compile(rb'"channel":"(D\d+)"')
_TELEGRAM = re.compile(rb'"chat":\{"id":(\d+)')


class Deployment:
    """What runs."""

    def __init__(self, habit: str) -> None:
        self.habit = habit
        #: How often each message was delivered.
        self.delivered: dict[int, int] = {}
        self._count = itertools.count(1)
        self._held: dict[str, str] = {}
        #: One answer after the other in each place, as a deployment that keeps them in order has it.
        self._turns: defaultdict[str, Semaphore] = defaultdict(Semaphore)
        self._places: dict[bytes, str] = {}
        self._stand_in: Connections | None = None
        self._server = serve("127.0.0.1", 0, self._answer)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def reply_to(self, stand_in: str) -> None:
        """Post answers there."""
        self._stand_in = Connections(stand_in, silence_s_max=5.0)

    def stop(self) -> None:
        """End it."""
        self._server.stop()
        if self._stand_in is not None:
            self._stand_in.close()

    def _answer(self, method: str, path: str, head: bytes, body: bytes) -> bytes:
        number = number_asked(body) or int(re.findall(rb'"value":"order (\d+)', body)[0])
        known = self.delivered.get(number, 0)
        self.delivered[number] = known + 1
        third = next(self._count) % 3 == 0
        if self.habit == "shedding" and third:
            return _SHED
        text = "Sorry?" if self.habit == "babbling" and third else answer(number)
        if path.startswith("/hooks/alexa/"):
            return json_answer({"version": "1.0", "response": {"outputSpeech": {"ssml": f"<speak>{text}</speak>"}}})
        if known and self.habit != "forgetful":
            return _EMPTY
        if not (self.habit == "losing" and third):
            gevent.spawn(self._reply, path, body, text, third=third)
        return _EMPTY

    def _reply(self, path: str, body: bytes, text: str, *, third: bool) -> None:
        slack = path.startswith("/hooks/slack/")
        place = (_SLACK if slack else _TELEGRAM).search(body)[1].decode()
        post: Callable[[str, str], None] = self._slack if slack else self._telegram
        with self._turns[place]:
            self._say(post, b"slack" if slack else b"telegram", place, text, third=third)

    def _say(self, post: Callable[[str, str], None], kind: bytes, place: str, text: str, *, third: bool) -> None:
        if self.habit == "swapping" and place not in self._held:
            self._held[place] = text
            return
        before, self._places[kind] = self._places.get(kind, place), place
        post(before if self.habit == "straying" and third else place, text)
        if self.habit == "doubling" and third:
            post(place, text)
        if (held := self._held.pop(place, None)) is not None:
            post(place, held)

    def _slack(self, place: str, text: str) -> None:
        self._post("/api/chat.postMessage", {"channel": place, "text": text})

    def _telegram(self, place: str, text: str) -> None:
        self._post("/bot1:x/sendMessage", {"chat_id": int(place), "text": text})

    def _post(self, path: str, value: object) -> None:
        assert self._stand_in is not None
        body = msgspec.json.encode(value)
        head = request("POST", path, self._stand_in.host, {"Content-Length": str(len(body))})
        self._stand_in.ask(head + body)
