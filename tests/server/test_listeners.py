"""Through which socket a request came: gunicorn's ``bind`` in all its forms, and what the environ says of each."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.server.gunicorn_process import Gunicorn, running
from tests.server.raw import Caller
from tests.support.stack_settings import free_port
from tests.support.waiting import GUARD_S

FORWARDED = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}


class Door:
    """One of the sockets on which the processes of this file listen."""

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self._family = family
        self._address = address

    def connection(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("a", timeout=GUARD_S)
        connection.sock = socket.socket(self._family)
        connection.sock.settimeout(GUARD_S)
        connection.sock.connect(self._address)
        return connection

    def environ(self, headers: dict[str, str] | None = None) -> dict[str, Any]:
        with closing(self.connection()) as connection:
            return environ(connection, headers)


def environ(
    connection: http.client.HTTPConnection, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    connection.request("GET", "/environ", headers=headers or {})
    return dict(json.loads(connection.getresponse().read()))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    folder = tmp_path_factory.mktemp("listeners")
    binds = [f"127.0.0.1:{free_port()}", f"[::1]:{free_port()}", f"unix:{folder / 'gunicorn.sock'}"]
    options = [option for bind in binds for option in ("--bind", bind)]
    with running(folder, *options, "--forwarded-allow-ips", "127.0.0.1") as site:
        site.binds = binds  # type: ignore[attr-defined]
        yield site


@pytest.fixture
def doors(site: Gunicorn) -> list[Door]:
    """Two on IPv4, one on IPv6, a unix socket."""
    second, sixth, unix = site.binds  # type: ignore[attr-defined]
    return [
        Door(socket.AF_INET, ("127.0.0.1", site.port)),
        Door(socket.AF_INET, ("127.0.0.1", int(second.rpartition(":")[2]))),
        Door(socket.AF_INET6, ("::1", int(sixth.rpartition(":")[2]))),
        Door(socket.AF_UNIX, unix.removeprefix("unix:")),
    ]


def test_each_request_knows_its_own_listener(doors: list[Door]) -> None:
    """Also when their connections take turns, and so use the same few parsers."""
    expected = [("127.0.0.1", str(door._address[1])) for door in doors[:2]]
    expected += [("::1", str(doors[2]._address[1])), ("localhost", "80")]
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(door.connection())) for door in doors]
        for _ in range(3):
            told = [environ(connection) for connection in connections]
            assert [(each["SERVER_NAME"], each["SERVER_PORT"]) for each in told] == expected


def test_a_peer_has_the_address_of_its_family(doors: list[Door]) -> None:
    _, second, sixth, unix = doors
    assert second.environ()["REMOTE_ADDR"] == "127.0.0.1"
    assert sixth.environ()["REMOTE_ADDR"] == "::1"
    assert unix.environ()["REMOTE_ADDR"] == ""


def test_who_may_speak_for_others_is_gunicorns_setting(doors: list[Door]) -> None:
    """``forwarded_allow_ips`` names 127.0.0.1; the peer of a unix socket is trusted because it may open the file."""
    _, second, sixth, unix = doors
    for trusted in (second, unix):
        told = trusted.environ(FORWARDED)
        assert (told["REMOTE_ADDR"], told["wsgi.url_scheme"]) == ("192.0.2.7", "https")
    told = sixth.environ(FORWARDED)
    assert (told["REMOTE_ADDR"], told["wsgi.url_scheme"]) == ("::1", "http")
    assert "HTTP_X_FORWARDED_FOR" not in told


def test_the_environ_says_how_many_processes_there_are(tmp_path: Path, doors: list[Door]) -> None:
    assert doors[0].environ()["wsgi.multiprocess"] is False
    with running(tmp_path, "--workers", "2") as site:
        assert Door(socket.AF_INET, ("127.0.0.1", site.port)).environ()["wsgi.multiprocess"] is True


def test_a_socket_that_systemd_has_opened(tmp_path: Path) -> None:
    """It is descriptor 3, and LISTEN_PID names whom it is for (sd_listen_fds(3))."""
    gunicorn = f"{sys.executable} -m gunicorn -k gateway.server.worker.Worker --no-control-socket"
    script = f"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec {gunicorn} tests.server.worker_app:app"
    with socket.create_server(("127.0.0.1", 0)) as listening, (tmp_path / "log").open("wb") as log:
        env = {**os.environ, "MARKS": str(tmp_path / "marks")}
        process = subprocess.Popen(["sh", "-c", script], stdin=listening, stdout=log, stderr=log, env=env)
        try:
            with Caller(listening.getsockname()[1]) as caller:
                # It waits in the kernel's queue until there is a worker.
                assert caller.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer().status == 200
            process.terminate()
            assert process.wait(GUARD_S) == 0
        finally:
            process.kill()
            process.wait()
