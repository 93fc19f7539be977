"""A real HTTP service on a port of its own, that does to its callers whatever a test says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from socket import socket

import gevent
import msgspec
from gevent.server import StreamServer

from gateway.assistants.preview import Delta, PartPreview, Preview
from gateway.assistants.script import Script, encode_reply
from gateway.assistants.wire import TurnRequest

__all__ = ["Received", "Service", "answer", "event", "follow", "head", "serving"]


@dataclass(frozen=True)
class Received:
    """One call as it arrived."""

    head: str
    headers: dict[str, str]
    body: bytes

    @property
    def request(self) -> TurnRequest:
        """The turn that was asked."""
        return msgspec.json.decode(self.body, type=TurnRequest)


#: Does something with one call: writes to the socket, waits, closes it.
Behaviour = Callable[[Received, socket], None]


@dataclass
class Service:
    """A running service and the calls it got."""

    url: str
    received: list[Received] = field(default_factory=list)
    #: Connections that are open now.
    connections: int = 0


@contextlib.contextmanager
def serving(behaviour: Behaviour) -> Iterator[Service]:
    """Run a service until the block ends."""

    def connected(connection: socket, _address: object) -> None:
        service.connections += 1
        try:
            with connection, contextlib.suppress(OSError):
                while (call := _receive(connection)) is not None:
                    service.received.append(call)
                    behaviour(call, connection)
        finally:
            service.connections -= 1

    server = StreamServer(("127.0.0.1", 0), connected)
    server.start()
    service = Service(f"http://127.0.0.1:{server.server_port}/turn")
    try:
        yield service
    finally:
        server.stop(timeout=0)


def _receive(connection: socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            return None
        data += piece
    start, _, body = data.partition(b"\r\n\r\n")
    first, *lines = start.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65_536)
    return Received(first, headers, body)


def head(media_type: str, *more: str, status: str = "200 OK") -> bytes:
    """Return the head of a response."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"content-type: {media_type}", *more, "", ""]).encode()


def answer(body: bytes, *, media_type: str = "application/json", status: str = "200 OK") -> Behaviour:
    """Answer every call with *body*, in one piece."""
    whole = head(media_type, f"content-length: {len(body)}", status=status) + body
    return lambda _call, connection: connection.sendall(whole)


def event(name: str, data: bytes) -> bytes:
    """Return one event of a stream."""
    return f"event: {name}\ndata: ".encode() + data + b"\n\n"


def follow(script: Script) -> Behaviour:
    """Answer as *script* says: streaming if there are previews and the user can see them."""

    def behave(call: Received, connection: socket) -> None:
        request = call.request
        step = script.step(request.message)
        if step.fails_with:
            status = step.fails_with.removeprefix("http_")
            connection.sendall(head("text/plain", "content-length: 0", status=f"{status} As Told"))
        elif step.previews and request.surface.streams:
            connection.sendall(head("text/event-stream", "connection: close"))
            for preview in step.previews:
                connection.sendall(_preview_event(preview))
            gevent.sleep(step.delay_s)
            connection.sendall(event("reply", encode_reply(step.reply)))
            connection.close()
        else:
            gevent.sleep(step.delay_s)
            answer(encode_reply(step.reply))(call, connection)

    return behave


def _preview_event(preview: Preview) -> bytes:
    match preview:
        case Delta():
            return event("delta", msgspec.json.encode(preview))
        case PartPreview(part):
            return event("part", msgspec.json.encode(part))
    return event("typing", b"{}")
