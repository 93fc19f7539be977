"""``python -m bench.locust.outside``: an assistant, and a stand-in for the platforms that looks at nothing.

Prints the ports of both, one line of JSON, and runs until stdin ends.  locust's users have a stand-in of their own,
which looks at every answer; this one is for who only wants to be rid of them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.beside import beside
from bench.chat.messages import answer, number_asked
from bench.chat.wire import Answering, Serving
from bench.locust.platforms.alexa import Alexa
from bench.locust.platforms.delivery import json_answer
from bench.locust.platforms.slack import Slack
from bench.locust.platforms.telegram import Telegram
from bench.locust.stack import ALEXA_CHAIN
from bench.needs import peer_folder

__all__ = ["Outside", "outside"]


class Outside(msgspec.Struct, frozen=True):
    """Where both are."""

    assistant: str
    stand_in: str


@contextlib.contextmanager
def outside(folder: Path) -> Iterator[Outside]:
    """Run both until the block ends, away from the gateway's core; *folder* has Alexa's certificate."""
    module, packages = "bench.locust.outside", peer_folder("uvloop")
    with beside(module, "--alexa", str(folder), packages=packages) as process:
        assert process.stdout is not None
        assistant, stand_in = msgspec.json.decode(process.stdout.readline(), type=tuple[int, int])
        yield Outside(f"http://127.0.0.1:{assistant}/turn", f"http://127.0.0.1:{stand_in}")


def _assistant(_: bytes, body: bytes) -> bytes:
    number = number_asked(body)
    if number is None:
        return json_answer({"error": "a question without a number"}, 400)
    return json_answer({"parts": [{"type": "text", "text": answer(number)}]})


def _stand_in(chain: Path | None) -> Answering:
    platforms = (
        Slack(account="", signing_secret=""),
        Telegram(account="", secret_token=""),
        Alexa(account="", skill_id="", key="", chain=chain.read_text() if chain else ""),
    )

    def answering(head: bytes, body: bytes) -> bytes:
        method, path, _ = (each.decode("latin-1") for each in head.split(b" ", 2))
        calls = (platform.called(method, path, head, body) for platform in platforms)
        return next((call.answer for call in calls if call is not None), json_answer({}, 404))

    return answering


async def _serve(answering: Answering, port: int = 0) -> int:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Serving(answering, float), "127.0.0.1", port, backlog=1_024)
    found: int = server.sockets[0].getsockname()[1]
    return found


async def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.locust.outside", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the assistant's")
    parser.add_argument("--alexa", type=Path, metavar="FOLDER", help="where Alexa's certificate is")
    given = parser.parse_args()
    chain = given.alexa and given.alexa / ALEXA_CHAIN
    if chain and not chain.is_file():
        parser.error(f"--alexa: expected a folder with a file {ALEXA_CHAIN} in it, got {given.alexa}")
    try:
        ports = [await _serve(_assistant, given.port), await _serve(_stand_in(chain))]
    except (OSError, OverflowError) as error:
        parser.error(f"--port: expected one that is free, got {given.port}: {error}")
    print(msgspec.json.encode(ports).decode(), flush=True)
    ends = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ends), sys.stdin)
    await ends.read()


if __name__ == "__main__":
    try:
        from uvloop import run
    except ImportError:
        # Right in all it says, and slower.
        from asyncio import run
    run(main())
