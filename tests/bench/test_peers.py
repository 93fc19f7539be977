"""What contestants are made of: pinned, hashed, without addresses; nothing of it in the product's environment."""

from __future__ import annotations

import importlib.util
import json
import re

from bench.contestants import CONTESTANTS
from bench.lines import LINES
from bench.needs import NEEDS, PEERS


def test_npm_packages_are_pinned_by_hash_and_without_a_place() -> None:
    """Where packages come from is the machine's business."""
    lock = json.loads((PEERS / "node" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert len(packages) > 20
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if not package.get("integrity")] == []
    asked = json.loads((PEERS / "node" / "package.json").read_text())["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in asked} == asked


def test_falcon_is_pinned_by_hash_and_without_a_place() -> None:
    """As the product's own lock files are."""
    text = (PEERS / "falcon" / "requirements.txt").read_text()
    assert re.match(r"falcon==[\d.]+ \\\n    --hash=sha256:", text)
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
