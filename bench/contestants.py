"""Who runs in bench.server, and how each is started: with its manual's advice for speed, pinned to one core.

All speak the same routes: /bench/echo, /bench/rpc, /bench/kvs/<key>, and some /bench/stream.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import random
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import psutil

from bench.needs import FALCON, PEERS
from bench.stack import GATEWAY_CPU, READY_MAX_S, ROOT, cpu_s, pinned
from gateway.embedded.errors import StartFailed
from gateway.embedded.process import Process, Program

__all__ = ["CONTESTANTS", "OURS", "WORKER", "Contestant", "Running", "answers", "free_port", "run"]

#: Our worker class.
WORKER = "gateway.server.worker.Worker"
OURS = "ours"
_STOP_MAX_S = 10.0
#: Below those that the kernel gives to callers, from anywhere: two benchmarks at once, or two tests, do not meet.
_ports = itertools.count(random.randrange(18_500, 28_000))


class Contestant(msgspec.Struct, frozen=True):
    """A server that can be started."""

    name: str
    title: str
    argv: tuple[str, ...]
    #: By name, in bench/needs.py.
    needs: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    #: Whether the process that answers is gunicorn's child.
    gunicorn: bool = False


def _gunicorn(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "gunicorn", *arguments)


def _peer(worker: str, folder: str) -> tuple[str, ...]:
    config, app = PEERS / "gunicorn.conf.py", PEERS / folder
    return _gunicorn("-c", str(config), "-k", worker, "--pythonpath", str(app), "app:app")


_OUR_CONFIG = str(ROOT / "config" / "gunicorn.conf.py")
_NODE = ("node", "npm packages")

CONTESTANTS: Mapping[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        Contestant(
            OURS,
            "Switchboard",
            _gunicorn("-c", _OUR_CONFIG, "-k", WORKER, "gateway.wsgi:app"),
            env={"SWITCHBOARD_BENCH__ENABLED": "true"},
            gunicorn=True,
        ),
        Contestant(
            "falcon",
            "Falcon, gunicorn gevent",
            _peer("gevent", "falcon"),
            ("falcon",),
            # That folder holds Falcon alone: gunicorn, gevent and psycopg2 are the product's own.
            {"PYTHONPATH": f"{ROOT}:{FALCON}"},
            gunicorn=True,
        ),
        Contestant("node", "Node, bare http", ("node", str(PEERS / "node" / "bare.mjs")), _NODE),
        Contestant("fastify", "Fastify", ("node", str(PEERS / "node" / "fastify.mjs")), _NODE),
        Contestant(
            "dataloader",
            "Fastify with DataLoader",
            ("node", str(PEERS / "node" / "fastify.mjs")),
            _NODE,
            {"KVS": "batched"},
        ),
        Contestant("flask_ours", "Flask, our worker", _peer(WORKER, "flask"), gunicorn=True),
        Contestant("flask_gevent", "Flask, gunicorn gevent", _peer("gevent", "flask"), gunicorn=True),
    )
}


class Running:
    """A contestant that answers."""

    def __init__(self, contestant: Contestant, port: int, process: Process) -> None:
        self.contestant = contestant
        self.port = port
        self._process = process

    @property
    def pid(self) -> int:
        """The process that answers."""
        assert self._process.pid is not None
        if not self.contestant.gunicorn:
            return self._process.pid
        return psutil.Process(self._process.pid).children()[0].pid

    def wait_ready(self) -> None:
        """Return once it answers; :exc:`StartFailed` if it does not."""
        self._process.wait_ready(time.monotonic() + READY_MAX_S)

    def stop(self) -> None:
        """End it."""
        self._process.stop(time.monotonic() + _STOP_MAX_S)

    def cpu_s(self) -> float:
        """Return the processor seconds that it has used so far."""
        assert self._process.pid is not None
        return cpu_s(self._process.pid)

    def pss_bytes(self) -> int:
        """Return its memory, with its share of what it shares (PSS)."""
        return int(psutil.Process(self.pid).memory_full_info().pss)


@contextlib.contextmanager
def run(
    contestants: Sequence[Contestant], env: Mapping[str, str], folder: Path
) -> Iterator[dict[str, Running]]:
    """Run contestants, each on a port of its own, until the block ends; their logs are in *folder*.

    Those that do not start are not among what is yielded.
    """
    running: dict[str, Running] = {}
    with contextlib.ExitStack() as stack:
        for contestant in contestants:
            running[contestant.name] = started = _start(contestant, free_port(), env, folder)
            stack.callback(started.stop)
        for name, each in list(running.items()):
            try:
                each.wait_ready()
            except StartFailed as error:
                print(f"\n{error}", file=sys.stderr)
                del running[name]
        yield running


def _start(contestant: Contestant, port: int, env: Mapping[str, str], folder: Path) -> Running:
    program, *arguments = contestant.argv
    process = Process(
        Program(
            name=contestant.name,
            argv=(shutil.which(program) or program, *arguments),
            env={**env, **contestant.env, "PORT": str(port)},
            log=folder / f"{contestant.name}.log",
            ready=lambda _: answers(port),
        )
    )
    with pinned(GATEWAY_CPU):
        process.start()
    return Running(contestant, port, process)


def free_port() -> int:
    """Return a port that nobody has, not used by this process before: the kernel remembers connections for a minute."""
    while True:
        port = next(_ports)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def answers(port: int) -> bool:
    """Whether it answers at all; a 404 is an answer too."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/bench/rpc")
        connection.getresponse().read()
        return True
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
