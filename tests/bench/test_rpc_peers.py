"""What is compared with, and what draws: pinned by hash, without addresses, and not in the product's environment."""

from __future__ import annotations

import importlib.util
import re

import pytest

from bench.needs import NEEDS, PEERS, QUEUES
from bench.rpc.speed import CONTESTANTS


@pytest.mark.parametrize("name", ["rpc", "plots", *QUEUES])
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
    """A benchmark installs nothing beside what is shipped."""
    clients = ("geventhttpclient", "urllib3", "requests", "httpx", "pybreaker", "circuitbreaker")
    for name in (*clients, *QUEUES, "matplotlib"):
        assert importlib.util.find_spec(name) is None, name


def test_contestants_need_what_exists() -> None:
    """By name, in bench/needs.py."""
    assert all(set(each.needs) <= set(NEEDS) for each in CONTESTANTS.values())
