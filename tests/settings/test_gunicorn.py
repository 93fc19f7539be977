"""What gunicorn's master is told is what its workers read: looked up twice, because the master imports nothing."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from gateway.settings.load import load
from tests.settings.folder import BASE

CONF = Path(__file__).parents[2] / "config" / "gunicorn.conf.py"
FILE = BASE + '[server]\nhost = "0.0.0.0"\nport = 9001\nworkers = 3\ndrain_s = 20.5\n'
SHORT = {"HOST": "10.0.0.1", "PORT": "9002", "WEB_CONCURRENCY": "4"}
LONG = {
    "SWITCHBOARD_SERVER__HOST": "::1",
    "SWITCHBOARD_SERVER__PORT": "9003",
    "SWITCHBOARD_SERVER__WORKERS": "5",
    "SWITCHBOARD_SERVER__DRAIN_S": "7",
}


def told(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> dict[str, Any]:
    for name in (*SHORT, *LONG, "SWITCHBOARD_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(CONF))


@pytest.mark.parametrize(
    ("toml", "given", "bind"),
    [
        (BASE, {}, "127.0.0.1:8080"),
        (FILE, {}, "0.0.0.0:9001"),
        (FILE, SHORT, "10.0.0.1:9002"),
        (FILE, {**SHORT, **LONG}, "[::1]:9003"),
        (FILE, {"PORT": ""}, "0.0.0.0:9001"),
    ],
)
def test_the_master_and_its_workers_read_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toml: str, given: dict[str, str], bind: str
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(toml)
    for name in ("webchat", "slack"):
        (tmp_path / name).write_text("secret")
    stores = {"DATABASE_URL": "postgresql://unused", "REDIS_URL": "redis://unused"}
    server = load(path, {**stores, **given, "SWITCHBOARD_HOME": str(tmp_path)}).server
    conf = told(monkeypatch, {"SWITCHBOARD_CONFIG": str(path), **given})

    assert conf["bind"] == [bind]
    assert (server.port, server.workers) == (int(bind.rpartition(":")[2]), conf["workers"])
    assert server.host == bind.rpartition(":")[0].strip("[]")
    # The drain decides, and not the master's kill.
    assert server.drain_s < conf["graceful_timeout"] < server.drain_s + 4


@pytest.mark.parametrize(
    "toml", ["[server", "server = 3\n", '[server]\nport = "x"\nworkers = 0\ndrain_s = inf\n', None]
)
def test_what_is_wrong_is_left_to_the_worker_to_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toml: str | None
) -> None:
    path = tmp_path / "own.toml"
    if toml is not None:
        path.write_text(toml)
    conf = told(monkeypatch, {"SWITCHBOARD_CONFIG": str(path)})

    assert (conf["bind"], conf["workers"], conf["graceful_timeout"]) == (["127.0.0.1:8080"], 1, 7)
