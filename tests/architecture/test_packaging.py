"""What a stranger's machine is given: pinned, hashed, free of addresses, the same as what was declared."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

import pytest

from gateway.embedded.secret_files import ensure_secrets
from gateway.embedded.trial_authority import ALEXA_CHAIN, ALEXA_KEY

ROOT = Path(__file__).parents[2]
#: What runs, and that with the tools.
LOCKS = ["requirements.txt", "requirements-dev.txt"]
#: What is added to them when it is asked for.
MORE = ["requirements-fuzz.txt"]


@pytest.mark.parametrize("name", [*LOCKS, *MORE])
def test_a_lock_file_names_no_place(name: str) -> None:
    """Where packages come from is the machine's business: no index, no address, no path."""
    text = (ROOT / name).read_text()
    assert not re.search(r"://|^\s*-(?!-hash=)|\bfile:| @ ", text, re.MULTILINE)


@pytest.mark.parametrize("name", [*LOCKS, *MORE])
def test_a_lock_file_pins_and_hashes_everything(name: str) -> None:
    """Each requirement has one version and the hashes of its files, for any platform."""
    blocks = requirements(name)
    assert len(blocks) > 20 or (blocks and name in MORE)
    for requirement, hashes in blocks.items():
        assert re.fullmatch(r"[a-z0-9._-]+==[^ ;]+( ; .+)?", requirement), requirement
        assert hashes, requirement


def test_what_runs_is_what_is_tested() -> None:
    """The tools' lock file has the same versions of everything that the product runs on."""
    runtime, development = (requirements(name) for name in LOCKS)
    # A tool may need on every platform what the product needs on one: the marker is no part of the version.
    versions = [
        {requirement.partition(" ;")[0]: hashes for requirement, hashes in lock.items()}
        for lock in (runtime, development)
    ]
    assert versions[0].items() <= versions[1].items()


def test_every_declared_package_is_pinned() -> None:
    """setup.cfg's ranges and the lock files speak of the same packages."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    pinned = {requirement.partition("==")[0] for requirement in requirements("requirements-dev.txt")}
    declared = config["options"]["install_requires"] + config["options.extras_require"]["dev"]
    names = [re.split(r"[ <>=!~]", line.strip())[0] for line in declared.splitlines() if line.strip()]
    assert names
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in names if not name.startswith("#")} <= pinned


def test_up_makes_the_secrets_that_the_working_default_names(tmp_path: Path) -> None:
    """Each ``file:secrets/...`` of config/switchboard.toml is made by `switchboard up`, and no other.

    But what the stand-in for Amazon signs with, which no setting of the gateway's may name.
    """
    named = set(re.findall(r'"file:secrets/([^"]+)"', (ROOT / "config" / "switchboard.toml").read_text()))
    ensure_secrets(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} - {ALEXA_CHAIN, ALEXA_KEY} == named


def test_ruff_ignores_nothing_without_a_reason() -> None:
    """Beside each ignored rule stands why."""
    text = (ROOT / "pyproject.toml").read_text()
    ignored = tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"]
    assert ignored
    for line in text.partition("\nignore = [")[2].partition("\n]")[0].strip().splitlines():
        assert "#" in line, line


def requirements(name: str) -> dict[str, frozenset[str]]:
    """Return each requirement of a lock file with its hashes."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            requirement, *hashes = (part.strip() for part in line.split("--hash=sha256:"))
            found[requirement] = frozenset(hashes)
    return found
