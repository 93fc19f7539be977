"""By which versions a contestant ran: read off what is installed, or told by the program itself, never off a wish.

Each function here makes one that is called when the contestant is there, and that returns a text for people: an empty
one if it cannot be known, because no run is to be lost over it.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["Version", "clojure", "elixir", "go", "node", "python", "unknown"]

Version = Callable[[], str]
_ASK_MAX_S = 30.0


def _careful(ask: Version) -> Version:
    @functools.wraps(ask)
    def told() -> str:
        try:
            return ask()
        except (OSError, subprocess.SubprocessError, ValueError, KeyError):
            return ""

    return told


def unknown() -> str:
    """Return nothing."""
    return ""


def python(packages: Sequence[str], folder: Path | None = None) -> Version:
    """Tell of Python, and of packages in *folder*; of those that are not there, as of everything else, ours."""

    @_careful
    def version() -> str:
        told = [f"Python {platform.python_version()}"]
        for name in packages:
            found = [
                *importlib.metadata.distributions(name=name, path=[str(folder)] if folder else []),
                *importlib.metadata.distributions(name=name),
            ]
            told += [f"{name} {each.version}" for each in found[:1]]
        return ", ".join(told)

    return version


def node(packages: Sequence[str], folder: Path) -> Version:
    """Tell of Node, and of packages beside its program."""

    @_careful
    def version() -> str:
        told = [f"Node {_ask('node', '--version').removeprefix('v')}"]
        for name in packages:
            package = json.loads((folder / "node_modules" / name / "package.json").read_text())
            told.append(f"{name} {package['version']}")
        return ", ".join(told)

    return version


def go(toolchain: Path, program: Path, packages: Sequence[str]) -> Version:
    """Tell of what a program was built with, as it says itself."""

    @_careful
    def version() -> str:
        built = _ask(str(toolchain), "version", "-m", str(program))
        told = [f"Go {found[1]}" for found in [re.search(r": go(\S+)", built)] if found]
        for name in packages:
            found = re.search(rf"dep\t\S*/{re.escape(name)}\S*\tv(\S+)", built)
            told += [f"{name} {found[1]}"] if found else []
        return ", ".join(told)

    return version


def elixir(release: Path, packages: Sequence[str]) -> Version:
    """Tell of what a release brings with it."""

    @_careful
    def version() -> str:
        otp = _ask(str(release / "bin" / "bench"), "eval", "IO.puts(System.otp_release())")
        libraries = dict(path.name.rsplit("-", 1) for path in (release / "lib").iterdir())
        told = [f"{name} {libraries[name]}" for name in packages]
        return ", ".join([f"Erlang/OTP {otp}", f"Elixir {libraries['elixir']}", *told])

    return version


def clojure(packages_file: Path, packages: Sequence[str]) -> Version:
    """Tell of Java, and of packages by the file that says to the last digit which they are."""

    @_careful
    def version() -> str:
        java = re.search(r"(\S+)", _ask("java", "--version").removeprefix("openjdk "))
        text = packages_file.read_text()
        told = [f"Java {found[1]}" for found in [java] if found]
        for name in packages:
            found = re.search(rf'/{re.escape(name)} {{:mvn/version "(\S+)"}}', text)
            told += [f"{name} {found[1]}"] if found else []
        return ", ".join(told)

    return version


def _ask(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_ASK_MAX_S, check=True)
    return done.stdout.strip()
