"""Every contestant that is installed here answers every line rightly, and tells its versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.connections import raise_descriptors
from bench.contestants import CONTESTANTS, run
from bench.keys import Keys
from bench.lines import LINES
from bench.needs import NEEDS
from bench.server import environment
from bench.stack import durable_stores

pytestmark = pytest.mark.slow

QUESTIONS = 120


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keys, dict[str, str], Path]]:
    """The table, and what a contestant finds in its environment."""
    raise_descriptors()
    folder = tmp_path_factory.mktemp("contestants")
    with durable_stores() as (postgres, redis, _):
        keys = Keys(postgres.url())
        keys.fill()
        yield keys, environment(postgres.url(), redis.url, folder), folder
        keys.close()


@pytest.mark.parametrize("name", CONTESTANTS)
def test_a_contestant_is_right(name: str, stores: tuple[Keys, dict[str, str], Path]) -> None:
    """By the checks that stand around every measured run."""
    contestant = CONTESTANTS[name]
    if lacking := [need for need in contestant.needs if not NEEDS[need].there]:
        pytest.skip(f"there is no {', '.join(lacking)}")
    keys, env, folder = stores
    with run([contestant], env, folder) as running:
        assert name in running, (folder / f"{name}.log").read_text()
        lines = ["echo"] if name.startswith("flask") else ["echo", "rpc1000", "kvs_get", "kvs_put"]
        for line in lines:
            LINES[line].check(running[name].port, keys, questions=QUESTIONS)
        assert contestant.version()
