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

__all__ = ["NotAReport", "read_part", "run_part"]

#: What is enough beside everything else.
_SHORTER: Mapping[str, Sequence[str]] = {"chat": ("--rounds", "2")}


class NotAReport(Exception):
    """A file is not what a benchmark has written with --json; says what it is."""


def run_part(name: str, *, quick: bool = False) -> Mapping[str, Any] | None:
    """Return the report of ``bench.NAME``, of a run of its own; none if it failed."""
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
        return read_part(name, written)


def read_part(name: str, path: Path) -> Mapping[str, Any]:
    """Return a report that ``bench.NAME`` has written."""
    try:
        report = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise NotAReport(f"{path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise NotAReport(f"{path}: {error}") from None
    if report.get("name") != f"bench.{name}":
        raise NotAReport(f"{path}: a report of {report.get('name', 'nobody')}")
    return report
