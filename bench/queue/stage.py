"""What all parts that measure only ours stand on: stores, a file of effects, and our own processes' environment."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.queue.contestants import CONTESTANTS, OURS
from bench.queue.drain import working
from bench.queue.effects import Effects
from bench.queue.ours import Ledger, environment, forget_redis, ledger_of
from bench.stores import Stores, stores

__all__ = ["Stage", "stage"]


class Stage(msgspec.Struct, frozen=True):
    """What is there."""

    stores: Stores
    ledger: Ledger
    folder: Path
    effects: Effects
    env: dict[str, str]

    def working(
        self, *, processes: int = 1, **env: str
    ) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """Run a worker of so many processes until the block ends."""
        ours = CONTESTANTS[OURS]
        env = {**self.env, **ours.env, "SWITCHBOARD_WORKER__PROCESSES": str(processes), **env}
        return working(ours, env, self.folder / "worker.log")

    def clear(self) -> None:
        """Forget all jobs and effects."""
        self.ledger.empty()
        forget_redis(self.stores)
        self.forget_effects()

    def forget_effects(self) -> None:
        """Forget all effects."""
        # In its place: workers have it open.
        with self.effects.path.open("r+b") as file:
            file.truncate(0)


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Run stores until the block ends."""
    with (
        stores() as running,
        ledger_of(running) as ledger,
        tempfile.TemporaryDirectory(prefix="bench-queue-") as name,
    ):
        folder = Path(name)
        effects = Effects(folder / "effects")
        env = {**environment(running, folder, effects.path), **CONTESTANTS[OURS].env}
        yield Stage(running, ledger, folder, effects, env)
