"""A reload and a rolling restart under load: nobody who follows the rules for connections loses a request."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.gunicorn_process import Gunicorn, running
from tests.server.steady_load import SteadyLoad
from tests.support.waiting import until


@contextmanager
def loaded(*sites: Gunicorn) -> Iterator[SteadyLoad]:
    """Keep callers asking while something happens, and let none of them be lost."""
    load = SteadyLoad([site.port for site in sites])
    try:
        load.wait_more()
        yield load
        load.wait_more()
    finally:
        load.stop()
    print(dict(load.counts))
    assert load.lost == []
    assert load.counts["GET"] > 50
    assert load.counts["POST"] > 50


def reload(site: Gunicorn, load: SteadyLoad, workers: int) -> None:
    """HUP: the master starts new workers and ends the old ones."""
    old = set(site.worker_pids())
    site.signal(signal.SIGHUP)
    until(
        f"new workers; the log:\n{site.said()}",
        lambda: len(new := set(site.worker_pids())) == workers and not new & old,
    )
    load.wait_more()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_reload_loses_nothing(tmp_path: Path, workers: int) -> None:
    with running(tmp_path, "--workers", str(workers)) as site, loaded(site) as load:
        for _ in range(2):
            reload(site, load, workers)
    assert load.counts["told"] > 0, "connections were ended by a word, not by surprise"
    assert load.counts["refused"] == 0


def test_a_rolling_restart_loses_nothing(tmp_path: Path) -> None:
    roll(tmp_path, rounds=1)


@pytest.mark.slow
def test_many_rolling_restarts_lose_nothing(tmp_path: Path) -> None:
    roll(tmp_path, rounds=15)


def roll(folder: Path, *, rounds: int) -> None:
    sites = [Gunicorn(folder, name="first"), Gunicorn(folder, name="second")]
    try:
        for site in sites:
            site.wait_ready()
        with loaded(*sites) as load:
            for number in range(2 * rounds):
                old = sites[number % 2]
                old.terminate()
                assert old.wait_end() == 0
                load.wait_more()
                sites[number % 2] = new = Gunicorn(folder, name=f"{old.name}+", port=old.port)
                new.wait_ready()
                load.wait_more()
        assert load.counts["refused"] > 0
    finally:
        for site in sites:
            site.stop()
