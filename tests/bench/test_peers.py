"""What contestants are made of: pinned, hashed, without addresses; nothing of it in the product's environment."""

from __future__ import annotations

import importlib.util
import json
import re

import pytest

from bench.contestants import CONTESTANTS
from bench.lines import LINES
from bench.needs import NEEDS, PEERS


@pytest.mark.parametrize("name", ["node", "bullmq", "chat_sdk"])
def test_npm_packages_are_pinned_by_hash_and_without_a_place(name: str) -> None:
    """Where packages come from is the machine's business."""
    lock = json.loads((PEERS / name / "package-lock.json").read_text())
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert len(packages) > 10
    assert [path for path, package in packages.items() if "resolved" in package] == []
    assert [path for path, package in packages.items() if not package.get("integrity")] == []
    asked = json.loads((PEERS / name / "package.json").read_text())["dependencies"]
    assert {each: packages[f"node_modules/{each}"]["version"] for each in asked} == asked


@pytest.mark.parametrize("name", ["falcon", "bolt_flask", "bolt_async", "uvloop"])
def test_packages_of_pypi_are_pinned_by_hash_and_without_a_place(name: str) -> None:
    """As the product's own lock files are."""
    text = (PEERS / name / "requirements.txt").read_text()
    pins = re.findall(r"^\S.*", text, re.MULTILINE)
    assert pins
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+( ; .+)? \\", pin)] == []
    assert text.count("--hash=sha256:") >= len(pins)
    assert not re.search(r"://|^\s*-(?!-hash=)|\bfile:| @ ", text, re.MULTILINE)


def test_peers_are_not_in_the_product() -> None:
    """A benchmark installs nothing beside what is shipped."""
    assert importlib.util.find_spec("falcon") is None


def test_lines_name_contestants_that_exist() -> None:
    """And contestants name needs that exist; whom a promise is held against takes part."""
    for line in LINES.values():
        assert set(line.contestants) <= set(CONTESTANTS)
        assert {line.ours, *(p.to for p in line.promises if p.to)} <= set(line.contestants)
    assert all(set(each.needs) <= set(NEEDS) for each in CONTESTANTS.values())
