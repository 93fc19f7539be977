"""Benchmarks of their own that a whole run ends with; what they report becomes a part of its results."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from bench.stack import ROOT

__all__ = ["run_part"]

#: What is enough beside everything else.
_SHORTER: Mapping[str, Sequence[str]] = {"chat": ("--rounds", "2")}


def run_part(name: str, given: Path | None = None, *, quick: bool = False) -> Mapping[str, Any] | None:
    """Return the report of ``bench.NAME``: that which is *given*, or that of a run of its own; none if it failed."""
    if given is not None:
        return _read(given)
    click.echo(f"\nbench.{name}")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "report.json"
        # A process of its own: it has its own greenlets or none, and its memory goes with it.
        argv = [sys.executable, "-m", f"bench.{name}", "--json", str(written)]
        argv += ["--quick"] if quick else _SHORTER.get(name, ())
        status = subprocess.run(argv, cwd=ROOT, check=False).returncode
        if status or not written.exists():
            click.echo(f"bench.{name} failed with status {status}, and is left out", err=True)
            return None
        return _read(written)


def _read(path: Path) -> Mapping[str, Any]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
