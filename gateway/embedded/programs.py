"""What ``switchboard up`` starts, in which order, and where each program finds the rest."""

from __future__ import annotations

import http.client
import signal
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from gateway.embedded.addresses import free_port, free_stand_in, kept, pointed_at
from gateway.embedded.home import Home
from gateway.embedded.postgres import EmbeddedPostgres
from gateway.embedded.process import Program
from gateway.embedded.readiness import NOTIFY_SOCKET, Readiness
from gateway.embedded.redis import EmbeddedRedis
from gateway.embedded.secret_files import BARTENDER_SECRET, TASTED_SECRET
from gateway.settings.environment import EMBEDDED
from gateway.settings.load import DEFAULT_FILE
from gateway.settings.settings import Settings

__all__ = ["Plan"]

GUNICORN_CONFIG = Path(__file__).parents[2] / "config" / "gunicorn.conf.py"
_PROBE_TIMEOUT_S = 2.0
#: Seconds that a person at a terminal gives what runs, where ``server.drain_s`` does not say otherwise.  Less than its
#: default, so that everything has stopped within ten seconds.
_DRAIN_S = 3
#: Seconds beyond the drain in which each leaves in order.
_GATEWAY_LEAVING_S = 2.0
_WORKER_LEAVING_S = 0.5
#: Of each of the samples, one after the other.
_SAMPLE_STOP_MAX_S = 0.5
_STORES_STOP_MAX_S = 0.5
#: Where Tasted's pictures are fetched, if nobody else listens there.
_PICTURES_PORT = 8091


class Plan:
    """The programs of one home.

    A store that the environment names (``DATABASE_URL``, ``REDIS_URL``) is not ours to run; nor is a sample assistant
    if ``BARTENDER_URL`` or ``TASTED_URL`` names one, and the stand-in for the platforms if ``PLATFORMS_URL`` does.
    """

    def __init__(self, home: Home, environment: Mapping[str, str]) -> None:
        self._home = home
        self._bartender_socket = home.sockets / "bartender.sock"
        self._tasted_socket = home.sockets / "tasted.sock"
        self._postgres = EmbeddedPostgres(
            data=home.data / "postgres", sockets=home.sockets, log=home.log / "postgres.log"
        )
        self._redis = EmbeddedRedis(
            data=home.data / "redis", sockets=home.sockets, log=home.log / "redis.log"
        )
        ours = {
            "DATABASE_URL": self._postgres.url(),
            "REDIS_URL": self._redis.url,
            "BARTENDER_URL": f"http+unix://{quote(str(self._bartender_socket), safe='')}/turn",
            "TASTED_URL": f"http+unix://{quote(str(self._tasted_socket), safe='')}/turn",
            # The children's stderr is our pipe, so they cannot see that a person is reading.
            "SWITCHBOARD_LOGGING__FORMAT": "text" if sys.stdout.isatty() else "json",
        }
        table = _file(environment)
        if not _says_drain_s(table):
            ours["SWITCHBOARD_SERVER__DRAIN_S"] = str(_DRAIN_S)
        running = kept(home)
        stand_in = environment.get("PLATFORMS_URL") or (running.stand_in if running else free_stand_in())
        #: What leads the accounts of a trial to the stand-in for their platforms.
        self.stand_in_environment = pointed_at(stand_in, table)
        if self.stand_in_environment:
            ours["PLATFORMS_URL"] = stand_in
            # Addresses that a delivery names are on this machine then; an account's list of hosts still holds.
            self.stand_in_environment["SWITCHBOARD_RPC__PRIVATE_ADDRESSES_ALLOWED"] = "true"
        ours |= self.stand_in_environment
        #: Scheme, host and port of the stand-in; empty if no account of the file is a trial's.
        self.stand_in = ours.get("PLATFORMS_URL", "")
        given = {name: value for name, value in environment.items() if value}
        self._ours = ours.keys() - given.keys()
        #: What every program is given.
        self.environment = {**ours, **given, "SWITCHBOARD_HOME": str(home.root), EMBEDDED: "1"}

    def groups(self, settings: Settings) -> list[list[Program]]:
        """Return what to start, in groups; :class:`Supervisor` stops it in the exact reverse of this order.

        So the gateway stops first: it takes no new message, and while it drains its turns the assistants and
        both stores still answer.  Then the worker, which may be sending what the gateway has just settled.
        Then the assistants and the platforms' stand-in, whom nobody calls any more.  The stores go last, because
        everything above ends by writing down how far it came; PostgreSQL is the very last, because it is the truth.
        """
        stores = []
        if "DATABASE_URL" in self._ours:
            stores.append(self._postgres.prepare())
        if "REDIS_URL" in self._ours:
            stores.append(self._redis.prepare())
        own = [self._worker(settings), self._gateway(settings)]
        if "PLATFORMS_URL" in self._ours:
            own.insert(0, self._platforms())
        if "TASTED_URL" in self._ours:
            own.insert(0, self._tasted(settings))
        if "BARTENDER_URL" in self._ours:
            own.insert(0, self._bartender())
        return [group for group in (stores, [self._migration()], own) if group]

    def stop_max_s(self, settings: Settings) -> float:
        """Return the seconds in which everything has stopped: the gateway and the worker drain one after the other."""
        leaving_s = _GATEWAY_LEAVING_S + _WORKER_LEAVING_S + 2 * _SAMPLE_STOP_MAX_S + _STORES_STOP_MAX_S
        return 2 * settings.server.drain_s + leaving_s

    def _migration(self) -> Program:
        argv = (sys.executable, "-m", "gateway.cli", "migrate")
        return Program(name="migrate", argv=argv, env=self.environment, once=True)

    def _bartender(self) -> Program:
        argv = (sys.executable, "-m", "gateway.demo.bartender", "--socket", str(self._bartender_socket))
        # The secret itself, because the path of a home may hold spaces, which separate secrets there.
        secret = (self._home.secrets / BARTENDER_SECRET).read_text()
        env = {"BARTENDER_SIGNING_SECRET": secret, **self.environment}
        return Program(name="bartender", argv=argv, env=env, stop_max_s=_SAMPLE_STOP_MAX_S)

    def _tasted(self, settings: Settings) -> Program:
        port = free_port(_PICTURES_PORT)
        argv = (sys.executable, "-m", "gateway.demo.tasted", "--socket", str(self._tasted_socket), "--port", str(port))
        # A platform itself could not fetch pictures from here, and would refuse the whole message.
        here = self._stood_in_for("tasted", settings)
        pictures = {"TASTED_PUBLIC_URL": f"http://127.0.0.1:{port}"} if here else {}
        secret = (self._home.secrets / TASTED_SECRET).read_text()
        env = {"TASTED_SIGNING_SECRET": secret, **pictures, **self.environment}
        return Program(name="tasted", argv=argv, env=env, stop_max_s=_SAMPLE_STOP_MAX_S)

    def _stood_in_for(self, assistant: str, settings: Settings) -> bool:
        """Whether no platform itself is called for any account of *assistant*."""
        called = [
            str(getattr(account, "api_base_url", self.stand_in))
            for account in settings.accounts.values()
            if account.assistant == assistant
        ]
        return bool(self.stand_in) and all(url.startswith(self.stand_in) for url in called)

    def _platforms(self) -> Program:
        host, port = urlsplit(self.stand_in).netloc.split(":")
        return Program(
            name="platforms",
            argv=(sys.executable, "-m", "gateway.platforms", "--host", host, "--port", port),
            env=self.environment,
            ready=lambda _pid: _answers(host, int(port), "/stand-in"),
            # It keeps nothing, and nobody calls it any more.
            stop_signal=signal.SIGKILL,
        )

    def _worker(self, settings: Settings) -> Program:
        # The parent: its children die with it, as it does with us.
        argv = (sys.executable, "-m", "workers.processes")
        notified = self._home.sockets / "worker.ready"
        readiness = Readiness(notified)
        modules = f" ({', '.join(settings.worker.handlers)})" if settings.worker.handlers else ""
        return Program(
            name="worker",
            argv=argv,
            env={**self.environment, NOTIFY_SOCKET: str(notified)},
            ready=lambda _pid: readiness.has_come(),
            unready=f"it has not loaded its handlers{modules}, or has not found its way into the database",
            stop_max_s=settings.server.drain_s + _WORKER_LEAVING_S,
        )

    def _gateway(self, settings: Settings) -> Program:
        server = settings.server
        # gunicorn's file reads these; here they may come from the TOML file instead.
        read_there = {
            "HOST": server.host,
            "PORT": str(server.port),
            "WEB_CONCURRENCY": str(server.workers),
            "SWITCHBOARD_SERVER__DRAIN_S": str(server.drain_s),
        }
        return Program(
            name="gateway",
            argv=(sys.executable, "-m", "gunicorn", "-c", str(GUNICORN_CONFIG), "gateway.wsgi:app"),
            env={**self.environment, **read_there},
            ready=lambda _pid: _answers(server.host, server.port, "/readyz"),
            unready="its /readyz does not say so",
            stop_max_s=server.drain_s + _GATEWAY_LEAVING_S,
            # Its workers end at once; on SIGTERM they would drain towards stores that are gone too.
            death_signal=signal.SIGQUIT,
        )


def _file(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings file as it stands; nothing of one that cannot be read, which is told with the settings."""
    path = Path(environment.get("SWITCHBOARD_CONFIG") or DEFAULT_FILE)
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def _says_drain_s(table: Mapping[str, Any]) -> bool:
    server = table.get("server")
    return isinstance(server, dict) and "drain_s" in server


def _answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
