"""Where the evaluation runs, and of which sources."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from bench.evaluation.results import Machine
from bench.report import percentile
from bench.stack import ROOT

__all__ = ["fsync_ms", "machine", "tree"]

#: Small appends, each followed by fdatasync, as PostgreSQL writes its log.
_APPENDS, _APPEND_BYTES = 200, 512
#: What is measured, and what measures it.
_SOURCES = ("gateway", "workers", "config", "bench")
#: What is installed or built beside sources, or tells of them.
_NOT_SOURCES = frozenset({"__pycache__", "_build", "deps", "node_modules", "results", "target", ".cpcache"})
_NO_SOURCE = frozenset({".md", ".png", ".pyc"})


def machine() -> Machine:
    """Return what a reader must know of this machine."""
    p50_ms, p99_ms = fsync_ms()
    return Machine(
        cpus=os.cpu_count() or 1,
        model=_model(),
        platform=platform.platform(),
        python=sys.version.split()[0],
        fsync_p50_ms=p50_ms,
        fsync_p99_ms=p99_ms,
    )


def fsync_ms() -> tuple[float, float]:
    """Return p50 and p99 of a small append that reaches the disk, in the folder in which stores are made."""
    took_ms = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(_APPENDS):
            began = time.perf_counter()
            file.write(b"x" * _APPEND_BYTES)
            os.fdatasync(file.fileno())
            took_ms.append(1e3 * (time.perf_counter() - began))
    return percentile(took_ms, 0.50), percentile(took_ms, 0.99)


def tree(root: Path = ROOT) -> str:
    """Return a digest of all sources: it is another one as soon as a program could do something else."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        for folder, folders, files in os.walk(root / name):
            folders[:] = sorted(set(folders) - _NOT_SOURCES)
            for path in (Path(folder) / file for file in sorted(files)):
                if path.suffix not in _NO_SOURCE:
                    digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
                    digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _model() -> str:
    """Return the processor's name, as far as Linux tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.machine()
