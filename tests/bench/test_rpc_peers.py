"""What is compared with, and what draws: pinned by hash, without addresses, and not in the product."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.needs import NEEDS, PEERS, QUEUES
from bench.rpc.speed import CONTESTANTS

REQUIREMENTS = Path(__file__).parents[2] / "requirements.txt"


@pytest.mark.parametrize("name", ["rpc", "plots", "vega", *QUEUES])
def test_requirements_are_pinned_by_hash_and_without_a_place(name: str) -> None:
    """As the product's own lock files are."""
    text = (PEERS / name / "requirements.txt").read_text()
    assert re.match(r"[\w-]+==[\w.]+ (; .*)?\\\n    --hash=sha256:", text)
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"[\w-]+==[\w.]+ ", entry), entry
        assert "--hash=sha256:" in entry
    assert not re.search(r"://|^\s*-(?!-hash=)|\bfile:| @ ", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["rpc", *QUEUES])
def test_peers_run_on_the_products_gevent(name: str) -> None:
    """A second gevent would be a second hub, and another version to compare."""
    text = (PEERS / name / "requirements.txt").read_text()
    assert re.findall(r"^(?:gevent|greenlet|httptools|zope\S*)==", text, re.MULTILINE) == []


def test_clients_are_not_in_the_product() -> None:
    """A benchmark adds nothing to what is shipped; what the tests of other parts need is none of it."""
    clients = ("geventhttpclient", "urllib3", "requests", "httpx", "pybreaker", "circuitbreaker")
    shipped = {line.split("==")[0].lower() for line in REQUIREMENTS.read_text().splitlines() if "==" in line}
    assert "gevent" in shipped, "its lines are read"
    assert shipped.isdisjoint((*clients, *QUEUES, "matplotlib"))


def test_contestants_need_what_exists() -> None:
    """By name, in bench/needs.py."""
    assert all(set(each.needs) <= set(NEEDS) for each in CONTESTANTS.values())
