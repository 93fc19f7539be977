"""Who runs in bench.chat, and how: all processes of a contestant share one core, its stores have the other.

A contestant takes Slack's deliveries at its hook, asks the assistant over HTTP, and says the answer by
chat.postMessage.  All are told the same by their environment: PORT, HOOK, ASSISTANT_URL, SLACK_API_URL, the token and
the signing secret.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from bench.chat.messages import SIGNING_SECRET, TOKEN
from bench.contestants import answers, free_port
from bench.needs import PEERS, built, peer_folder
from bench.stack import ASSISTANT_SECRET, GATEWAY_CPU, OTHERS_CPU, ROOT, cpu_s, pinned
from bench.stores import READY_MAX_S, Stores, stores
from gateway.embedded.process import Process, Program

__all__ = ["CEILING", "CONTESTANTS", "HOOK", "OURS", "Contestant", "Running", "run"]

OURS, CEILING = "ours", "go"
HOOK = "/hooks/slack/bench"
_STOP_MAX_S = 15.0

#: Posts to one channel are paced by default as Slack wants it: one a second, three at once.  500 conversations could
#: not have more than 500 turns a second then.  The pacing stays on, each post is booked in Redis as always; its
#: figures are those of a platform that has no limits, as the stand-in.
SETTINGS = """
[assistants.bench]
kind = "http"
url = "{assistant}"
signing_secrets = ["env:BENCH_ASSISTANT_SECRET"]

[accounts.slack.bench]
assistant = "bench"
signing_secrets = ["env:SLACK_SIGNING_SECRET"]
bot_token = "env:SLACK_BOT_TOKEN"
api_base_url = "{slack}"
channel_posts_per_s = 1_000_000.0
channel_posts_burst = 1_000_000
"""


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """A bot, as the processes that it is."""

    name: str
    title: str
    #: The one that takes deliveries, and what else belongs to it.
    argvs: tuple[tuple[str, ...], ...]
    #: By name, in bench/needs.py.
    needs: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    #: It has a ledger in PostgreSQL, and Redis.
    stores: bool = False


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *arguments)


def _chat_sdk(name: str, title: str, concurrency: str) -> Contestant:
    return Contestant(
        name=name,
        title=title,
        argvs=(("node", str(PEERS / "chat_sdk" / "server.mjs")),),
        needs=("node", "chat sdk"),
        env={"CONCURRENCY": concurrency, "NODE_ENV": "production"},
    )


CONTESTANTS: Mapping[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        Contestant(
            name=OURS,
            title="Switchboard",
            # The Procfile's web and worker.
            argvs=(
                _python("gunicorn", "-c", "config/gunicorn.conf.py", "gateway.wsgi:app"),
                _python("workers.processes"),
            ),
            env={"PYTHONPATH": str(ROOT)},
            stores=True,
        ),
        Contestant(
            name="bolt_flask",
            title="Bolt, Flask on gunicorn gevent",
            argvs=(
                _python(
                    "gunicorn", "-c", str(PEERS / "gunicorn.conf.py"), "-k", "gevent",
                    "--pythonpath", str(PEERS / "bolt_flask"), "app:server",
                ),
            ),
            needs=("bolt_flask",),
            # gunicorn, gevent and Flask are the product's own.
            env={"PYTHONPATH": str(peer_folder("bolt_flask"))},
        ),
        Contestant(
            name="bolt_async",
            title="Bolt, AsyncApp on uvicorn",
            argvs=(
                _python(
                    "uvicorn", "--app-dir", str(PEERS / "bolt_async"), "--loop", "uvloop", "--http", "httptools",
                    "--no-access-log", "--log-level", "warning", "app:asgi",
                ),
            ),
            needs=("bolt_async",),
            env={"PYTHONPATH": str(peer_folder("bolt_async"))},
        ),
        _chat_sdk("chat_sdk", "Chat SDK on Node", "drop"),
        _chat_sdk("chat_sdk_queue", 'Chat SDK, "queue"', "queue"),
        Contestant(
            name=CEILING,
            title="a bare bot in Go",
            argvs=((str(built("chat_go")),),),
            needs=("golang", "chat_go"),
        ),
    )
}  # fmt: skip


class Running:
    """A contestant that takes deliveries."""

    def __init__(self, port: int, processes: list[Process], running: Stores | None) -> None:
        self.port = port
        self._processes = processes
        self._stores = running

    @property
    def pids(self) -> list[int]:
        """Its own processes, without their children."""
        return [process.pid for process in self._processes if process.pid is not None]

    @property
    def database_url(self) -> str:
        """Where its ledger is."""
        assert self._stores is not None
        return self._stores.postgres.url()

    def cpu_s(self) -> list[float]:
        """Return the processor seconds that each of its own processes has used so far, children included."""
        return [cpu_s(pid) for pid in self.pids]

    def stores_cpu_s(self) -> tuple[float, float]:
        """Return those of PostgreSQL and of Redis."""
        if self._stores is None:
            return 0.0, 0.0
        return cpu_s(self._stores.postgres_pid), cpu_s(self._stores.redis_pid)


@contextlib.contextmanager
def run(contestant: Contestant, *, assistant: str, slack: str, settings: str = SETTINGS) -> Iterator[Running]:
    """Run *contestant* until the block ends, or raise :exc:`StartFailed`; *assistant* and *slack* are addresses.

    *settings*, with both in it, is for who has stores.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-chat-")))
        running = None
        port = free_port()
        env = {
            **os.environ,
            "PORT": str(port),
            "UVICORN_PORT": str(port),
            "HOOK": HOOK,
            "ASSISTANT_URL": assistant,
            "SLACK_API_URL": slack,
            "SLACK_BOT_TOKEN": TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        }
        if contestant.stores:
            with pinned(OTHERS_CPU):
                running = stack.enter_context(stores())
            env |= _settings(running, folder, settings.format(assistant=assistant, slack=slack))
        processes = []
        for at, argv in enumerate(contestant.argvs):
            program = Program(
                name=contestant.name,
                argv=(shutil.which(argv[0]) or argv[0], *argv[1:]),
                env={**env, **contestant.env},
                log=folder / f"{contestant.name}.{at}.log",
                ready=None if at else (lambda _: answers(port)),
                stop_max_s=_STOP_MAX_S,
            )
            process = Process(program)
            with pinned(GATEWAY_CPU):
                process.start()
            stack.callback(process.stop, time.monotonic() + 3_600)
            processes.append(process)
        for process in processes:
            process.wait_ready(time.monotonic() + READY_MAX_S)
        yield Running(port, processes, running)


def _settings(running: Stores, folder: Path, settings: str) -> dict[str, str]:
    config = folder / "switchboard.toml"
    config.write_text(settings)
    return {
        "SWITCHBOARD_CONFIG": str(config),
        "SWITCHBOARD_HOME": str(folder),
        "DATABASE_URL": running.postgres.url(),
        "REDIS_URL": running.redis.url,
        "BENCH_ASSISTANT_SECRET": ASSISTANT_SECRET,
    }
