"""``switchboard up``: everything on one machine, from nothing, in one process tree.

What is started, in which order, and where it finds the rest is all here.  A store that the environment
names (``DATABASE_URL``, ``REDIS_URL``) is not started.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gateway.embedded import postgres
from gateway.embedded.errors import StartFailed
from gateway.embedded.home import Home
from gateway.embedded.output import Output
from gateway.embedded.postgres import EmbeddedPostgres
from gateway.embedded.process import Program
from gateway.embedded.redis import EmbeddedRedis
from gateway.embedded.secret_files import ensure_secrets
from gateway.embedded.stop_request import StopRequest
from gateway.embedded.supervisor import STOP_MAX_S, Supervisor

__all__ = ["up"]

#: Seconds that a new start waits for the processes of a killed one.
LEFTOVERS_MAX_S = 15.0
_PROBE_TIMEOUT_S = 2.0
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Address:
    """Where the gateway listens."""

    host: str
    port: int


def up(environment: Mapping[str, str]) -> int:
    """Run everything until a signal, and return the exit status."""
    stop_request = StopRequest()
    output = Output(sys.stdout.buffer)
    address = Address(environment.get("HOST", "127.0.0.1"), int(environment.get("PORT", "8080")))
    home = Home(Path(environment.get("SWITCHBOARD_HOME", ".switchboard")))
    try:
        _refuse_busy_port(address)
        home.open(time.monotonic() + LEFTOVERS_MAX_S)
        try:
            groups = programs(home, address, environment)
            supervisor = Supervisor(
                groups, output=output, stop_request=stop_request, inherited_fds=home.inherited_fds
            )
            return _run(supervisor, output, address)
        finally:
            home.close()
    except StartFailed as error:
        output.say("switchboard", str(error))
        return 1


def _run(supervisor: Supervisor, output: Output, address: Address) -> int:
    try:
        if supervisor.start():
            for line in _things_to_try(address):
                output.say("switchboard", line)
            supervisor.watch()
    finally:
        supervisor.stop(time.monotonic() + STOP_MAX_S)
    return 0


def programs(home: Home, address: Address, environment: Mapping[str, str]) -> list[list[Program]]:
    """Return what to start, in groups; within :class:`Supervisor` the stop order is the exact reverse.

    So the gateway stops first: it takes no new message, and while it drains its turns the assistants and
    both stores still answer.  Then the worker, which may be sending what the gateway has just settled.
    Then the assistants, whom nobody calls any more.  The stores go last, PostgreSQL after Redis, because
    everything above ends by writing down how far it came.
    """
    environment = {**environment, **ensure_secrets(home.secrets, environment)}
    environment |= {"SWITCHBOARD_HOME": str(home.root), "HOST": address.host, "PORT": str(address.port)}
    stores: list[Program] = []
    if not environment.get("DATABASE_URL"):
        server = EmbeddedPostgres(
            data=home.data / "postgres",
            sockets=home.sockets,
            log=home.log / "postgres.log",
            identity=postgres.identity(),
        )
        stores.append(server.prepare())
        environment["DATABASE_URL"] = server.url()
    if not environment.get("REDIS_URL"):
        redis = EmbeddedRedis(data=home.data / "redis", sockets=home.sockets, log=home.log / "redis.log")
        stores.append(redis.prepare())
        environment["REDIS_URL"] = redis.url

    bartender = home.sockets / "bartender.sock"
    environment.setdefault("BARTENDER_URL", f"http+unix://{quote(str(bartender), safe='')}/turn")
    gunicorn = ("gunicorn", "-c", str(_ROOT / "config" / "gunicorn.conf.py"), "gateway.wsgi:app")
    return [
        stores,
        [_python("migrate", "gateway.cli", "migrate", env=environment, once=True)],
        [
            _python("bartender", "gateway.demo.bartender", "--socket", str(bartender), env=environment),
            _python("worker", "workers", env=environment),
            Program(
                name="gateway",
                argv=(sys.executable, "-m", *gunicorn),
                env=environment,
                ready=lambda _pid: _is_ready(address),
                # Its workers end at once; on SIGTERM they would drain towards stores that are gone too.
                death_signal=signal.SIGQUIT,
            ),
        ],
    ]


def _python(name: str, module: str, *arguments: str, env: Mapping[str, str], once: bool = False) -> Program:
    return Program(name=name, argv=(sys.executable, "-m", module, *arguments), env=env, once=once)


def _refuse_busy_port(address: Address) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
        try:
            listener.bind((address.host, address.port))
        except OSError as error:
            raise StartFailed(
                f"cannot listen on {address.host}:{address.port}: {error.strerror}; set PORT to a free one",
                reason="port",
            ) from error


def _is_ready(address: Address) -> bool:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _things_to_try(address: Address) -> list[str]:
    base = f"http://{address.host}:{address.port}"
    command = os.path.relpath(Path(sys.executable).with_name("switchboard"))
    return [
        "Ready.  Things to try:",
        f"  {base}/chat/bartender    ask The Bartender for a drink",
        f"  {base}/readyz            what it needs, and whether that answers",
        f"  {base}/metrics           what it counts",
        f"  {command} conversations list",
        "Ctrl-C stops everything.",
    ]
