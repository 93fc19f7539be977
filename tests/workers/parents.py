"""A parent of worker processes under test, and what the ledger and its children say of it."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.embedded.running import Running, running
from tests.support.ledger_view import LedgerView
from tests.support.stack_settings import Settings, environment, write_config
from tests.support.waiting import until

__all__ = ["Family", "Said", "family"]

TOYS = Path(__file__).with_name("toys.py")


class Said(NamedTuple):
    """What a toy wrote: a word, its pid, its metrics port."""

    word: str
    pid: int
    port: int


class Family:
    """A parent and its children."""

    def __init__(self, it: Running, ledger: LedgerView, folder: Path) -> None:
        self.it = it
        self.ledger = ledger
        self._log = folder / "log"

    def said(self) -> list[Said]:
        """What the toys have written so far, in order."""
        text = self._log.read_text() if self._log.exists() else ""
        lines = [line.split() for line in text.splitlines()]
        return [Said(word, int(pid), int(port)) for word, pid, port in lines]

    def living(self) -> dict[int, dict[str, Any]]:
        """The processes that are alive in the ledger, by pid."""
        rows = self.ledger.rows("SELECT * FROM processes WHERE beat IS NOT NULL ORDER BY id")
        return {int(row["label"].split(":")[1]): row for row in rows}

    def wait_living(self, count: int) -> list[int]:
        """Return the pids of those that are alive in the ledger once there are *count* of them."""

        def living() -> list[int]:
            pids = sorted(self.living())
            return pids if len(pids) == count else []

        pids = until(f"{count} children in the ledger", living)
        self.it.descendants()  # noted, to be killed whatever the test does
        return pids

    def wait_replaced(self, old: list[int]) -> None:
        """Return once as many others as *old* are alive in the ledger, and none of them is."""

        def replaced() -> bool:
            living = self.living().keys()
            return len(living) == len(old) and not living & set(old)

        until("all to be new", replaced)
        self.it.descendants()

    def wait_dead(self, pid: int) -> None:
        """Return once the ledger holds *pid* for dead."""
        until(f"{pid} dead in the ledger", lambda: pid not in self.living())

    def owners(self) -> dict[int, int]:
        """How many partitions each has, by pid, once all of them have an owner; else nothing."""
        rows = self.ledger.rows(
            "SELECT p.label FROM job_partitions j"
            " LEFT JOIN processes p ON p.id = j.owner_process AND p.epoch = j.owner_epoch"
        )
        if any(row["label"] is None for row in rows):
            return {}
        return dict(Counter(int(row["label"].split(":")[1]) for row in rows))

    def partitions(self) -> int:
        """How many partitions somebody owns."""
        return len(self.ledger.rows("SELECT 1 FROM job_partitions WHERE owner_process IS NOT NULL"))


@contextlib.contextmanager
def family(
    database_url: str,
    redis_url: str,
    folder: Path,
    *arguments: str,
    settings: Settings | None = None,
) -> Iterator[Family]:
    """Run a parent of toys, or, without *arguments*, of real workers."""
    nowhere = "http://127.0.0.1:1"
    write_config(folder / "switchboard.toml", f"{nowhere}/turn", nowhere, nowhere, nowhere)
    kind, *rest = arguments or ("",)
    toys, real = [str(TOYS), kind, str(folder), *rest], ["-m", "workers.processes"]
    argv = [sys.executable, *(toys if kind else real)]
    with running(argv, env=environment(database_url, redis_url, folder, settings or {})) as it:
        yield Family(it, LedgerView(database_url), folder)
