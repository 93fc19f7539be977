"""A scripted assistant that costs as little as one can: ``python -m bench.assistant SOCKET``.

A process of its own over HTTP, so that the gateway does all that it does for a real one: connection, signature,
deadline, reply checked.  It answers every POST at once with the same reply.
"""

from __future__ import annotations

import asyncio
import sys

BODY = b'{"parts":[{"type":"text","text":"All right."}]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


class _Connection(asyncio.Protocol):
    """Answers each request that is complete; the gateway sends a length with every body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            at = head.index(b"content-length:") + len(b"content-length:")
            length = int(head[at:].split(b"\r\n", 1)[0])
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            assert isinstance(self._transport, asyncio.Transport)
            self._transport.write(ANSWER)


async def _serve(path: str) -> None:
    server = await asyncio.get_running_loop().create_unix_server(_Connection, path)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
