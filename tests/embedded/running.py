"""A starter under test: started, listened to, killed, and its whole process tree watched."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import redis

ROOT = Path(__file__).parents[2]
STARTER = Path(__file__).with_name("starter.py")
#: Generous: these machines are shared.  What is measured is stated in the test.
GUARD_S = 30.0


class Running:
    """One starter process and what it printed so far."""

    def __init__(self, argv: list[str], *, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**_own_environment(), "PYTHONPATH": str(ROOT), **(env or {})},
        )
        self.lines: list[str] = []
        #: Killed at the end, in case the test fails because they live.
        self.seen: list[psutil.Process] = []

    def wait_for(self, text: str) -> str:
        """Return the first line that contains *text*."""
        assert self.process.stdout
        for line in map(bytes.decode, self.process.stdout):
            self.lines.append(line.rstrip())
            if text in line:
                return line
        raise AssertionError(f"no {text!r} in:\n" + "\n".join(self.lines))

    def wait_for_stores(self, postgres_url: str, redis_url: str) -> None:
        """Return when both stores answer again."""
        deadline = time.monotonic() + GUARD_S
        while not (_answers(postgres_url) and _ping(redis_url)):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def descendants(self) -> list[psutil.Process]:
        found = psutil.Process(self.process.pid).children(recursive=True)
        self.seen += found
        return found

    def gateway_master(self) -> psutil.Process:
        """Return gunicorn's own process, which serves nobody."""
        return next(process for process, parent in self._gunicorns().items() if parent == self.process.pid)

    def gateway_workers(self) -> list[psutil.Process]:
        """Return the gateway's processes that serve: none in the moment between one gunicorn and the next."""
        return [process for process, parent in self._gunicorns().items() if parent != self.process.pid]

    def _gunicorns(self) -> dict[psutil.Process, int]:
        """Return gunicorn's processes, and whose children they are."""
        found = {}
        for process in self.descendants():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "gateway.wsgi:app" in words(process):
                    found[process] = process.ppid()
        return found

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait_end(self) -> int:
        """Return the exit status, with everything that was printed in ``lines``."""
        assert self.process.stdout
        self.lines += [line.decode().rstrip() for line in self.process.stdout]
        return self.process.wait(GUARD_S)


@contextlib.contextmanager
def starter(home: Path, *arguments: str) -> Iterator[Running]:
    """Run tests/embedded/starter.py; whatever is left of it at the end is killed."""
    with running([sys.executable, str(STARTER), str(home), *arguments]) as it:
        yield it


@contextlib.contextmanager
def running(argv: list[str], *, env: dict[str, str] | None = None) -> Iterator[Running]:
    it = Running(argv, env=env)
    try:
        yield it
    finally:
        if it.process.poll() is None:
            it.process.kill()
            it.process.wait(GUARD_S)
        for orphan in filter(_runs, it.seen):
            orphan.kill()
        if it.process.stdout:
            it.process.stdout.close()


def _own_environment() -> dict[str, str]:
    """Return ours without what would configure a Switchboard: a test says itself what it wants."""
    configuring = (
        "SWITCHBOARD_",
        "DATABASE_URL",
        "REDIS_URL",
        "BARTENDER_",
        "HOST",
        "PORT",
        "WEB_CONCURRENCY",
    )
    return {name: value for name, value in os.environ.items() if not name.startswith(configuring)}


def words(process: psutil.Process) -> list[str]:
    """Return its name and command line; nothing of one that has ended meanwhile, as PostgreSQL's do at any time."""
    try:
        return [process.name(), *process.cmdline()]
    except psutil.NoSuchProcess:
        return []


def wait_gone(processes: list[psutil.Process]) -> None:
    """Return when none of them runs.  An orphan that init has not reaped yet counts as gone."""
    deadline = time.monotonic() + GUARD_S
    while left := [process for process in processes if _runs(process)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _answers(postgres_url: str) -> bool:
    try:
        psycopg2.connect(postgres_url).close()
    except psycopg2.OperationalError:
        return False
    return True


def _ping(redis_url: str) -> bool:
    try:
        with redis.Redis.from_url(redis_url) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False
