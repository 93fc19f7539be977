"""A gateway with real, durable stores and the scripted assistant, each pinned to its core.

Two cores: the gateway has one to itself; PostgreSQL, Redis, the assistant and the load share the other.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil

from bench.stores import READY_MAX_S, stores
from gateway.embedded.postgres import EmbeddedPostgres
from gateway.embedded.redis import EmbeddedRedis

__all__ = [
    "GATEWAY_CPU",
    "OTHERS_CPU",
    "Stack",
    "busy_s",
    "cpu_s",
    "durable_stores",
    "gateway_stack",
    "pin_to_others",
    "pinned",
]

ROOT = Path(__file__).parents[1]
GATEWAY_CPU = 0
OTHERS_CPU = max(os.sched_getaffinity(0))
ASSISTANT_SECRET = "whsec_YS1zZWNyZXQtb2YtdGhlLWJlbmNobWFyay13aXRoLTMyLWI="  # noqa: S105
SECRET = "a secret of the benchmark, known to both sides"  # noqa: S105  # protects nothing

SETTINGS = """
[assistants.scripted]
kind = "http"
url = "http+unix://{socket}/turn"
signing_secrets = ["env:BENCH_ASSISTANT_SECRET"]

[accounts.webchat.bench]
assistant = "scripted"
cookie_secrets = ["env:BENCH_COOKIE_SECRET"]
"""


class Stack:
    """What runs."""

    def __init__(self, port: int, gateway_pid: int, postgres_pid: int) -> None:
        self.port = port
        self.gateway_pid = gateway_pid
        self.postgres_pid = postgres_pid

    def gateway_cpu_s(self) -> float:
        """Return the processor seconds that the gateway has used so far."""
        return cpu_s(self.gateway_pid)

    def postgres_cpu_s(self) -> float:
        """Return the processor seconds that PostgreSQL has used so far."""
        return cpu_s(self.postgres_pid)


def cpu_s(pid: int) -> float:
    """Return the processor seconds of a process and its children, those that ended included."""
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def busy_s(*cpus: int) -> float:
    """Return the processor seconds that all processes of the machine have used so far on *cpus*, or on both of ours."""
    cores = psutil.cpu_times(percpu=True)
    return sum(cores[cpu].user + cores[cpu].nice + cores[cpu].system for cpu in cpus or {GATEWAY_CPU, OTHERS_CPU})


def pin_to_others() -> None:
    """Keep this process off the gateway's core."""
    os.sched_setaffinity(0, {OTHERS_CPU})


@contextlib.contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Start on *cpu* whatever is started meanwhile: children and their threads inherit the core."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


@contextlib.contextmanager
def durable_stores() -> Iterator[tuple[EmbeddedPostgres, EmbeddedRedis, int]]:
    """Run PostgreSQL (fsync on, synchronous commit) and Redis; yield both and PostgreSQL's pid."""
    with stores() as running:
        yield running.postgres, running.redis, running.postgres_pid


@contextlib.contextmanager
def gateway_stack(port: int) -> Iterator[Stack]:
    """Run everything; this process and its children are kept off the gateway's core."""
    pin_to_others()
    with durable_stores() as (postgres, redis, postgres_pid), tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "assistant.sock"
        config = Path(folder) / "switchboard.toml"
        config.write_text(SETTINGS.format(socket=quote(str(socket), safe="")))
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SWITCHBOARD_CONFIG": str(config),
            "SWITCHBOARD_HOME": folder,
            "DATABASE_URL": postgres.url(),
            "REDIS_URL": redis.url,
            "PORT": str(port),
            "BENCH_COOKIE_SECRET": SECRET,
            "BENCH_ASSISTANT_SECRET": ASSISTANT_SECRET,
        }
        assistant = subprocess.Popen(
            [sys.executable, "-m", "bench.assistant", str(socket)], cwd=ROOT, stdout=subprocess.PIPE
        )
        gateway = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "gateway.wsgi:app"],
            cwd=ROOT,
            env=environment,
        )
        try:
            os.sched_setaffinity(gateway.pid, {GATEWAY_CPU})
            _wait_ready(port)
            for child in psutil.Process(gateway.pid).children(recursive=True):
                child.cpu_affinity([GATEWAY_CPU])
            yield Stack(port, gateway.pid, postgres_pid)
        finally:
            for process in (gateway, assistant):
                process.terminate()
                process.wait(timeout=15)


def _wait_ready(port: int) -> None:
    deadline = time.monotonic() + READY_MAX_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError) as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"the gateway did not get ready: {error}") from None
            time.sleep(0.1)
