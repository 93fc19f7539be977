"""What benchmarks need that the product does not: Falcon, job queues, npm packages, Go, Elixir's packages, wrk, plots.

Each is installed when it is missing, or there by other pins, at the versions that are pinned here, where it touches
nothing else: Python packages into ``.bench/``, on top of the product's own gunicorn, gevent and psycopg2, so that
Falcon, or a client, is all that differs (job queues, each in a folder of its own, bring everything but gevent with
them); npm packages beside their contestants.  A distribution's package is installed by root alone, and none that would
be too old.  What cannot be installed is left out, once a run, and what would have helped is told.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec

__all__ = [
    "CLIENTS",
    "ELIXIR",
    "FALCON",
    "GO",
    "NEEDS",
    "PEERS",
    "PLOTS",
    "QUEUES",
    "Need",
    "as_pinned",
    "built",
    "missing",
    "peer_folder",
    "release",
]

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "bench" / "peers"
#: Folders for PYTHONPATH: of Falcon, of HTTP clients and circuit breakers, of matplotlib.
FALCON = ROOT / ".bench" / "falcon"
CLIENTS = ROOT / ".bench" / "rpc-peers"
PLOTS = ROOT / ".bench" / "plots"
#: Job queues of PyPI that bench.queue knows.
QUEUES = ("dramatiq", "huey", "taskiq", "celery", "rq")
#: Go as PyPI has it: what distributions have is too old for the driver.
GO = ROOT / ".bench" / "go" / "go" / "bin" / "go"
ELIXIR = "elixir 1.15 or later"
#: Where a person finds what a distribution does not have.
_PAPER = "see Toolchains in bench/README.md"
#: What a contestant that must be built is made of.
_SOURCES = ("*.go", "go.*", "mix.exs", "config/*", "lib/*", "rel/*", "deps.edn", "build.sh", "src/*/*.clj")
_INSTALL_MAX_S = 300.0
#: Of what a program said, so much is told.
_SAID_CHARS_MAX = 160
#: A package's version without what a distribution adds to it: an epoch before it, and all that is no number behind it.
_VERSION = re.compile(r"(?:\d+:)?(\d+(?:\.\d+)*)")
_CANDIDATE = re.compile(r"^\s*Candidate: (\S+)", re.MULTILINE)
#: Where a machine's packages come from is nobody else's business.
_ADDRESS = re.compile(r"\b[a-z]+://[^\s\"']+")
#: Why needs could not be met, by sign and command.
_failed: dict[tuple[str, tuple[str, ...]], str] = {}
_PIN = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


class Need(msgspec.Struct, frozen=True):
    """Something that must be there, and how it gets there."""

    name: str
    #: Exists when it is installed: a path, or the name of a program on PATH.
    sign: str
    argv: tuple[str, ...]
    folder: Path = ROOT
    #: Only root can.
    as_root: bool = False
    #: Besides what the environment has.
    env: Mapping[str, str] = {}
    #: A command that fails where what is there is too old; it prints which version is there.
    proof: tuple[str, ...] = ()
    #: The distribution's package that decides, and the first version of it that helps.
    package: tuple[str, str] | None = None
    #: What helps where *argv* does not.
    else_see: str = ""
    #: Where packages are pinned, as :func:`as_pinned` reads it, and the folder that they are installed into.
    pins: tuple[Path, Path] | None = None

    @property
    def there(self) -> bool:
        """Whether it is installed, new enough, and what is pinned now."""
        there = Path(self.sign).exists() if "/" in self.sign else shutil.which(self.sign) is not None
        there = there and (self.pins is None or as_pinned(*self.pins))
        return there and not (self.proof and self._run(*self.proof).returncode)

    @property
    def command(self) -> str:
        """The command that installs it, for a person."""
        argv = (os.path.relpath(each, self.folder) if each.startswith(f"{ROOT}/") else each for each in self.argv)
        text = " ".join((*(f"{name}={value}" for name, value in self.env.items()), *argv))
        return text if self.folder == ROOT else f"cd {self.folder.relative_to(ROOT)} && {text}"

    def install(self) -> str:
        """Install it; return what went wrong and what would help, or an empty text."""
        try:
            if self.as_root and os.geteuid() == 0:
                # A repository of somebody else's may be unreachable; what counts is whether the package installs.
                self._run("apt-get", "update", "-q")
            if useless := self._useless():
                return f"({useless}): {self.else_see}"
            if self.as_root and os.geteuid() != 0:
                return self._failed("needs root")
            click.echo(f"installing {self.name}: {self.command} ...", err=True)
            if self.pins is not None and self.pins[1].exists():
                # Of earlier pins; pip would leave half of it.
                shutil.rmtree(self.pins[1])
            done = self._run(*self.argv)
        except FileNotFoundError as error:
            return self._failed(f"{error.filename} is not here")
        except subprocess.TimeoutExpired as error:
            return self._failed(f"not within {error.timeout:g} s")
        except OSError as error:
            return self._failed(str(error))
        if done.returncode or not self.there:
            return self._failed(f"status {done.returncode}: {_last(done)}")
        return ""

    def _failed(self, why: str) -> str:
        return f"({why}): {self.command}{f'; {self.else_see}' if self.else_see else ''}"

    def _useless(self) -> str:
        """Return why the distribution's package would not help: it is too old; or an empty text."""
        if self.package is None or shutil.which("apt-cache") is None:
            return ""
        name, least = self.package
        candidate = _CANDIDATE.search(self._run("apt-cache", "policy", name).stdout.decode(errors="replace"))
        # None at all is what apt itself would say better.
        numbers = _numbers(candidate[1]) if candidate else ()
        if candidate is None or not numbers or numbers >= _numbers(least):
            return ""
        here = f"{_last(self._run(*self.proof))} is here, " if shutil.which(self.sign) else ""
        return f"{here}apt has {candidate[1]}"

    def _run(self, *argv: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            argv,
            cwd=self.folder,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_INSTALL_MAX_S,
            check=False,
        )


def _last(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the last line that a program said, fit to stand in a table."""
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    last = _ADDRESS.sub("...", lines[-1].replace(f"{ROOT}/", "")) if lines else "nothing was said"
    return last if len(last) <= _SAID_CHARS_MAX else f"{last[:_SAID_CHARS_MAX]} ..."


def _numbers(version: str) -> tuple[int, ...]:
    found = _VERSION.match(version)
    return tuple(map(int, found[1].split("."))) if found else ()


def as_pinned(pins: Path, folder: Path) -> bool:
    """Return whether all packages in *folder* are of a version that *pins* names: pip's requirements, or npm's lock."""
    if pins.suffix == ".json":
        return _of_npm(folder / ".package-lock.json") <= _of_npm(pins)
    wanted = {(_normal(name), version) for name, version in _PIN.findall(pins.read_text())}
    found = importlib.metadata.distributions(path=[str(folder)])
    return {(_normal(each.metadata["Name"]), each.version) for each in found} <= wanted


def _of_npm(lock: Path) -> set[tuple[str, str]]:
    packages = json.loads(lock.read_text())["packages"]
    return {(path, package["version"]) for path, package in packages.items() if path}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pip(peers: str, folder: Path) -> tuple[str, ...]:
    requirements = (PEERS / peers / "requirements.txt").relative_to(ROOT)
    # Without dependencies: what is pinned is all there is, and gevent is never there a second time.
    options = ("--disable-pip-version-check", "--no-input", "-q", "--upgrade", "--no-deps")
    target = ("--target", str(folder.relative_to(ROOT)))
    return (sys.executable, "-m", "pip", "install", *options, *target, "--require-hashes", "-r", str(requirements))


def peer_folder(name: str) -> Path:
    """Return the folder that a contestant's packages of PyPI are installed into."""
    return ROOT / ".bench" / name


def _peer(name: str, package: str = "") -> Need:
    return _python(name, name, peer_folder(name), package or name)


def _python(name: str, peers: str, folder: Path, package: str) -> Need:
    pins = PEERS / peers / "requirements.txt", folder
    return Need(name, str(folder / package / "__init__.py"), _pip(peers, folder), pins=pins)


def _npm(name: str, folder: str) -> Need:
    return Need(
        name,
        str(PEERS / folder / "node_modules" / ".package-lock.json"),
        # Not "npm ci": a registry that does not carry the native helpers of all platforms, which are optional,
        # would be refused.
        ("npm", "install", "--no-save", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error"),
        PEERS / folder,
        pins=_lock(folder),
    )


def _lock(folder: str) -> tuple[Path, Path]:
    return PEERS / folder / "package-lock.json", PEERS / folder / "node_modules"


def built(folder: str, peers: Path = PEERS) -> Path:
    """Return what is built of a contestant's sources in Go, Elixir or Clojure; another one when they change."""
    paths = sorted({path for pattern in _SOURCES for path in (peers / folder).glob(pattern)})
    sources = b"".join(path.read_bytes() for path in paths)
    return ROOT / ".bench" / f"{folder}-{hashlib.sha256(sources).hexdigest()[:12]}"


def _go(name: str, folder: str, go: str = "go") -> Need:
    program = built(folder)
    return Need(
        name,
        str(program),
        (go, "build", "-trimpath", "-o", str(program), "."),
        PEERS / folder,
        # With the very Go that is here, never with one that it fetches by itself.
        env={"GOTOOLCHAIN": "local"},
    )


def release(folder: str) -> Path:
    """Return the program that starts the release of a contestant in Elixir."""
    return built(folder) / "bin" / "bench"


def _mix(name: str, folder: str) -> Need:
    # What a machine lacks that never saw Elixir; where sources are here already (mix.exs), nothing is fetched.
    tools = ("local.hex", "--force", "--if-missing", "+", "local.rebar", "--force", "--if-missing", "+")
    fetch = () if os.environ.get("HEX_SOURCES") else (*tools, "deps.get", "+")
    return Need(
        name,
        str(release(folder)),
        ("mix", "do", *fetch, "release", "--overwrite", "--path", str(built(folder))),
        PEERS / folder,
        env={"MIX_ENV": "prod"},
        else_see=_PAPER,
    )


NEEDS: Mapping[str, Need] = {
    need.name: need
    for need in (
        Need("wrk", "wrk", ("apt-get", "install", "-y", "-q", "wrk"), as_root=True),
        Need("node", "node", ("apt-get", "install", "-y", "-q", "nodejs", "npm"), as_root=True),
        Need(
            "npm packages",
            str(PEERS / "node" / "node_modules" / ".package-lock.json"),
            ("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"),
            PEERS / "node",
            pins=_lock("node"),
        ),
        Need("golang", "go", ("apt-get", "install", "-y", "-q", "golang-go"), as_root=True),
        _go("chat_go", "chat_go"),
        _peer("go"),
        _go("go app", "go", str(GO)),
        Need(
            ELIXIR,
            "elixir",
            ("apt-get", "install", "-y", "-q", "elixir", "erlang-dev"),
            as_root=True,
            proof=(
                "elixir", "-e",
                'IO.puts(System.version()); Version.match?(System.version(), ">= 1.15.0") || System.halt(1)',
            ),
            package=("elixir", "1.15"),
            else_see=_PAPER,
        ),
        _mix("plug", "plug"),
        _mix("phoenix", "phoenix"),
        Need("java", "java", ("apt-get", "install", "-y", "-q", "openjdk-17-jre-headless"), as_root=True),
        Need(
            "aleph",
            str(built("aleph") / "arguments"),
            # Asks Clojure's own command line tool for the packages.
            ("sh", "build.sh", str(built("aleph"))),
            PEERS / "aleph",
            else_see=_PAPER,
        ),
        _peer("fastapi"),
        _npm("bullmq", "bullmq"),
        _npm("chat sdk", "chat_sdk"),
        *(_peer(name) for name in QUEUES),
        # What bench.chat's own side runs on, and its contestants.
        _peer("uvloop"),
        # bench.locust's users; locust's gevent, Flask and psutil are those that are there.
        _peer("locust"),
        _peer("bolt_flask", "slack_bolt"),
        _peer("bolt_async", "slack_bolt"),
        _python("falcon", "falcon", FALCON, "falcon"),
        _python("http clients", "rpc", CLIENTS, "geventhttpclient"),
        # Draws the evaluation's page and picture from Vega-Lite's specifications, without a browser.
        _peer("vega", "vl_convert"),
        _python("plots", "plots", PLOTS, "matplotlib"),
    )
}


def missing(names: Sequence[str], needs: Mapping[str, Need] = NEEDS) -> str:
    """Install what is missing of *names*; return why that cannot be and what would help, or an empty text.

    What could not be installed is not tried again by this process: several contestants may need it.
    """
    for need in (needs[name] for name in names):
        if need.there:
            continue
        tried = need.sign, need.argv
        if failed := _failed.get(tried) or need.install():
            _failed[tried] = failed
            return f"{need.name} is missing {failed}"
    return ""
