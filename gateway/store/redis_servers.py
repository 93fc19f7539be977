"""The servers of a Redis that is several: a client each, made when it is needed and closed when it is no master.

How a server is asked for its view of all is here too: ``CLUSTER SLOTS`` with the epoch and the state beside it, or a
sentinel's word about its master.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import MaxConnectionsError
from redis.retry import Retry

from gateway.settings.redis_address import RedisAddress
from gateway.store.redis_topology import Address, Topology, View

__all__ = ["Servers"]

_SLOT_MAX = 16_383


class Servers:
    """Who they are, and the way to each."""

    def __init__(self, address: RedisAddress, *, timeout_s: float, patience_s: float = 0.0) -> None:
        """*timeout_s* is for a command; a blocking read may last *patience_s* longer."""
        self._given = address
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._clients: dict[Address, redis.Redis] = {}
        self.by_slot = address.kind == "cluster"
        self.topology = Topology(
            [Address(*node) for node in address.nodes],
            look=self._look,
            on_masters=self._forget_others,
            asks_masters=self.by_slot,
            # To connect, and to be answered.
            patience_s=2 * timeout_s,
        )

    def __repr__(self) -> str:
        return f"<Servers {self._given.kind} {self.topology!r}>"

    def client(self, address: Address) -> redis.Redis:
        """Return the client of a server.

        :raises redis.ConnectionError: it failed a moment ago.
        """
        if self.topology.rests(address):
            raise redis.ConnectionError("Redis: this server failed just now, and is left alone for a moment")
        if address not in self._clients:
            self._clients[address] = self._connect(
                address, self._given.username, self._given.password.reveal(), patience_s=self._patience_s
            )
        return self._clients[address]

    def failed(self, address: Address, error: redis.RedisError) -> None:
        """Note what became of a command to *address*."""
        # A full pool is our own; and an answer, even a bad one, is a sign of life.
        lost = isinstance(error, (redis.ConnectionError, redis.TimeoutError))
        if lost and not isinstance(error, MaxConnectionsError) and not self.topology.rests(address):
            self.topology.failed(address)

    def close(self) -> None:
        """Close all connections.  Safe twice."""
        self.topology.close()
        clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def _forget_others(self, masters: frozenset[Address]) -> None:
        for address in [address for address in self._clients if address not in masters]:
            # Whoever is being served keeps its client, which ends with it: redis-py answers with a ValueError where a
            # connection is closed under somebody who reads from it.
            self._clients.pop(address).connection_pool.disconnect(inuse_connections=False)

    def _look(self, address: Address) -> View:
        given = self._given
        if self.by_slot:
            client = self._connect(address, given.username, given.password.reveal())
        else:
            client = self._connect(address, given.sentinel_username, given.sentinel_password.reveal(), database=0)
        with client:
            return _cluster_view(client, address) if self.by_slot else _sentinel_view(client, given.service)

    def _connect(
        self, address: Address, username: str, password: str, *, patience_s: float = 0.0, database: int | None = None
    ) -> redis.Redis:
        options: dict[str, Any] = self._given.tls_options
        return redis.Redis.from_pool(
            redis.ConnectionPool(
                connection_class=redis.SSLConnection if self._given.tls else redis.Connection,
                host=address.host,
                port=address.port,
                db=self._given.database if database is None else database,
                username=username or None,
                password=password or None,
                socket_connect_timeout=self._timeout_s,
                socket_timeout=patience_s + self._timeout_s,
                retry=Retry(NoBackoff(), 0),
                **options,
            )
        )


def _cluster_view(client: redis.Redis, asked: Address) -> View:
    pipeline = client.pipeline(transaction=False)
    for question in ("CLUSTER INFO", "CLUSTER SLOTS"):
        pipeline.execute_command(question)  # type: ignore[no-untyped-call]  # redis-py has no types here
    info, slots = pipeline.execute()
    ranges = []
    for first, last, (host, port, *_), *_ in slots:
        # A server that does not know its own name leaves it out: it is the one that was asked.
        known = host.decode() if isinstance(host, bytes) else host
        ranges.append((int(first), int(last), Address(known if known and known != "?" else asked.host, int(port))))
    whole = info.get("cluster_state") == "ok"
    return View((whole, int(info.get("cluster_current_epoch", 0))), ranges)


def _sentinel_view(client: redis.Redis, service: str) -> View:
    state: Any = client.sentinel_master(service, return_responses=True)
    up = bool(state["is_master"] and not state["is_sdown"] and not state["is_odown"])
    master = Address(state["ip"], int(state["port"]))
    return View((up, int(state["config-epoch"])), [(0, _SLOT_MAX, master)])
