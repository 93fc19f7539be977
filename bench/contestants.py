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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psutil

from bench import versions
from bench.needs import ELIXIR, FALCON, GO, PEERS, built, peer_folder, release
from bench.stack import GATEWAY_CPU, ROOT, cpu_s, pinned
from bench.stores import READY_MAX_S
from gateway.embedded.errors import StartFailed
from gateway.embedded.process import Process, Program

__all__ = ["CONTESTANTS", "OURS", "WORKER", "Contestant", "Running", "answers", "command", "free_port", "run"]

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
    #: Whether its memory is taken long before it is needed, and given to connections without growing.
    heap_ahead: bool = False
    #: Seconds of work after which most of what is asked often is compiled, of those that compile while they run.
    warm_s: float = 0.0
    #: Called when its needs are met.
    version: versions.Version = versions.unknown


def _gunicorn(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "gunicorn", *arguments)


def _peer(worker: str, folder: str) -> tuple[str, ...]:
    config, app = PEERS / "gunicorn.conf.py", PEERS / folder
    return _gunicorn("-c", str(config), "-k", worker, "--pythonpath", str(app), "app:app")


def _node(name: str, title: str, program: str, packages: Sequence[str], **env: str) -> Contestant:
    return Contestant(
        name,
        title,
        ("node", str(PEERS / "node" / program)),
        ("node", "npm packages"),
        env,
        warm_s=1.3,
        version=versions.node(packages, PEERS / "node"),
    )


def _falcon(name: str, worker: str, **env: str) -> Contestant:
    return Contestant(
        name,
        f"Falcon, gunicorn {worker}",
        _peer(worker, "falcon"),
        ("falcon",),
        # That folder holds Falcon alone: gunicorn, gevent and psycopg2 are the product's own.
        {"PYTHONPATH": f"{ROOT}:{FALCON}", **env},
        gunicorn=True,
        version=versions.python(("falcon", "gunicorn", *(["gevent"] if worker == "gevent" else [])), FALCON),
    )


def _elixir(name: str, title: str, *packages: str) -> Contestant:
    return Contestant(
        name,
        title,
        (str(release(name)), "start"),
        (ELIXIR, name),
        version=versions.elixir(built(name), (*packages, "bandit", "postgrex")),
    )


def _flask(name: str, title: str, worker: str) -> Contestant:
    return Contestant(
        name, title, _peer(worker, "flask"), gunicorn=True, version=versions.python(("flask", "gunicorn", "gevent"))
    )


_OUR_CONFIG = str(ROOT / "config" / "gunicorn.conf.py")

CONTESTANTS: Mapping[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        Contestant(
            OURS,
            "Switchboard",
            _gunicorn("-c", _OUR_CONFIG, "-k", WORKER, "gateway.wsgi:app"),
            env={"SWITCHBOARD_BENCH__ENABLED": "true"},
            gunicorn=True,
            version=versions.python(("gunicorn", "gevent", "httptools")),
        ),
        # Each of its workers serves one caller at a time; as many as its manual advises for one core, 2 x cores + 1.
        _falcon("falcon_sync", "sync", WEB_CONCURRENCY="3", POOL="1"),
        _falcon("falcon", "gevent"),
        Contestant(
            "fastapi",
            "FastAPI on uvicorn",
            (
                sys.executable, "-m", "uvicorn", "--app-dir", str(PEERS / "fastapi"), "--loop", "uvloop",
                "--http", "httptools", "--no-access-log", "--log-level", "warning", "--backlog", "4096",
                "--timeout-keep-alive", "75", "app:app",
            ),
            ("fastapi",),
            {"PYTHONPATH": str(peer_folder("fastapi"))},
            version=versions.python(("fastapi", "uvicorn", "uvloop", "asyncpg"), peer_folder("fastapi")),
        ),
        _node("node", "Node, bare http", "bare.mjs", ("pg",)),
        _node("fastify", "Fastify", "fastify.mjs", ("fastify", "pg")),
        _node("dataloader", "Fastify with DataLoader", "fastify.mjs", ("fastify", "dataloader", "pg"), KVS="batched"),
        Contestant(
            "go",
            "Go net/http",
            (str(built("go")),),
            ("go", "go app"),
            version=versions.go(GO, built("go"), ("pgx",)),
        ),
        _elixir("plug", "Plug on Bandit", "plug"),
        _elixir("phoenix", "Phoenix on Bandit", "phoenix"),
        Contestant(
            "aleph",
            "Aleph",
            ("java", f"@{built('aleph') / 'arguments'}"),
            ("java", "aleph"),
            heap_ahead=True,
            warm_s=5.0,
            version=versions.clojure(PEERS / "aleph" / "deps.edn", ("clojure", "aleph", "jsonista", "postgresql")),
        ),
        _flask("flask_ours", "Flask, our worker", WORKER),
        _flask("flask_gevent", "Flask, gunicorn gevent", "gevent"),
    )
}  # fmt: skip


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

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

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
    started: list[Running] = []
    try:
        for contestant in contestants:
            # One after the other: those before one that fails are to be ended too.
            started.append(_start(contestant, free_port(), env, folder))  # noqa: PERF401
        running = {each.contestant.name: each for each in started}
        for name, each in list(running.items()):
            try:
                each.wait_ready()
            except StartFailed as error:
                print(f"\n{error}", file=sys.stderr)
                del running[name]
        yield running
    finally:
        # All at once: some take a second to say goodbye.
        with ThreadPoolExecutor(max(1, len(started))) as threads:
            list(threads.map(Running.stop, started))


def command(contestant: Contestant, port: int, env: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the command that has a contestant serve on *port*, and its environment."""
    program, *arguments = contestant.argv
    # PORT, and what uvicorn calls it.
    ports = {"PORT": str(port), "UVICORN_PORT": str(port)}
    return [shutil.which(program) or program, *arguments], {**env, **contestant.env, **ports}


def _start(contestant: Contestant, port: int, env: Mapping[str, str], folder: Path) -> Running:
    argv, environment = command(contestant, port, env)
    process = Process(
        Program(
            name=contestant.name,
            argv=tuple(argv),
            env=environment,
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
