"""Processes of a benchmark's own side, which run beside the server and end when their stdin does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.stack import OTHERS_CPU, ROOT, pinned

__all__ = ["STOP_MAX_S", "beside", "end"]

#: Who is told that nothing more comes has so many seconds to end.
STOP_MAX_S = 10.0


@contextlib.contextmanager
def beside(
    module: str, *arguments: str, packages: Path | None = None, cpu: int = OTHERS_CPU
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``python -m module`` on a core until the block ends; *packages*: a folder of what it needs besides ours."""
    path = os.pathsep.join(map(str, (ROOT, packages) if packages else (ROOT,)))
    with pinned(cpu):
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Tell it that nothing more comes, and kill it if that is not enough."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(STOP_MAX_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
