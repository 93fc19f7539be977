"""A Redis of several servers, each a real one: three masters with a replica each, or a master with a replica and three
sentinels.  All are processes of the test's own, which die with it, and may be killed and started again.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.embedded.process import Process, Program
from gateway.embedded.redis import _binary
from tests.support.waiting import GUARD_S, until

__all__ = ["PASSWORD", "Cluster", "Node", "Sentinels", "redis_cluster", "redis_sentinels"]

#: Of every server.  One that has to be percent-encoded in an address.
PASSWORD = "p@ss/word:1"
QUOTED = "p%40ss%2Fword%3A1"
SENTINEL_PASSWORD = "watcher"
SERVICE = "hints"
#: Milliseconds of silence after which a server is taken for dead.
_SILENT_MS = 1_000
_STOP_S = 5.0
#: Of each log, where it has to be told why a cluster is not whole.
_LOG_LINES = 25
#: Where ports are taken from: below those that the kernel gives out, with room for the cluster's own 10,000 above.
_PORTS = range(20_000, 22_000)
_SLOTS = 16_384


class Node:
    """One server."""

    def __init__(self, folder: Path, options: dict[str, str], *, port: int, sentinel: bool = False) -> None:
        self.port = port
        self._folder = folder
        folder.mkdir()
        self._config = folder / "redis.conf"
        self._config.write_text("".join(f'{name} "{value}"\n' for name, value in options.items()))
        argv = (str(_binary()), str(self._config), *(("--sentinel",) if sentinel else ()))
        self.process = Process(
            Program(name=f"redis-{port}", argv=argv, ready=self._answers, log=folder / "redis.log")
        )
        password = SENTINEL_PASSWORD if sentinel else PASSWORD
        # Another try is for a connection whose server was killed.  By default there are ten, and a server that hangs
        # would be asked for longer than anybody waits here.
        self.client = redis.Redis(
            port=port, password=password, socket_timeout=5, protocol=2, retry=Retry(NoBackoff(), 1)
        )

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def start(self) -> None:
        self.process.start()
        self.process.wait_ready(time.monotonic() + GUARD_S)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        until("the killed server to be gone", lambda: self.process.poll() is not None)

    def signal(self, number: signal.Signals) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def stop(self) -> None:
        self.client.close()
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.stop(time.monotonic() + _STOP_S)

    def says(self, *command: str | int, **options: Any) -> Any:
        """Return what it answers; None if nothing."""
        try:
            return self.client.execute_command(*command, **options)
        except redis.RedisError:
            return None

    def log(self) -> str:
        return (self._folder / "redis.log").read_text(errors="replace")

    def _answers(self, pid: int) -> bool:
        return bool(self.says("PING"))


class Cluster:
    """Three masters, each with a replica."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [
            Node(
                folder / str(port),
                {
                    **_server_options(folder / str(port), port),
                    "cluster-enabled": "yes",
                    "cluster-config-file": "nodes.conf",
                    "cluster-node-timeout": str(_SILENT_MS),
                    "cluster-replica-validity-factor": "0",
                },
                port=port,
            )
            for port in itertools.islice(_free_ports(bus=True), 6)
        ]
        self.url = f"redis+cluster://:{QUOTED}@" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:2])

    def start(self) -> None:
        for node in self.nodes:
            node.process.start()
        for number, node in enumerate(self.nodes):
            node.process.wait_ready(time.monotonic() + GUARD_S)
            node.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        masters, replicas = self.nodes[:3], self.nodes[3:]
        for master, slots in zip(masters, _parts(_SLOTS, 3), strict=True):
            master.client.execute_command("CLUSTER", "ADDSLOTS", *slots)
        for node in self.nodes[1:]:
            masters[0].client.execute_command("CLUSTER", "MEET", *node.address)
        until("all to have met", lambda: all(len(self._lines(node)) == 6 for node in self.nodes))
        for master, replica in zip(masters, replicas, strict=True):
            replica.client.execute_command("CLUSTER", "REPLICATE", master.says("CLUSTER MYID").decode())
        self.until_whole()

    def until_whole(self) -> None:
        """Return when every server that runs sees all slots served, and a replica beside each master."""
        try:
            until("the cluster to be whole", lambda: all(self._sees_all(node) for node in self.nodes))
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *map(self._view, self.nodes)])) from error

    def master_of(self, slot: int) -> Node:
        """Return the server that has *slot* now."""
        for node in self.nodes:
            for first, last, (_, port, *_), *_ in node.says("CLUSTER SLOTS") or ():
                if first <= slot <= last:
                    return next(one for one in self.nodes if one.port == port)
        raise AssertionError("nobody has it")

    def replicas_of(self, master: Node) -> list[Node]:
        """Return who stands by for *master* now."""
        return [node for node in self.nodes if _replication(node).get("master_port") == master.port]

    def _sees_all(self, node: Node) -> bool:
        if node.process.poll() is not None:
            return True
        info = node.says("CLUSTER INFO") or {}
        slots = node.says("CLUSTER SLOTS") or []
        running = sum(one.process.poll() is None for one in self.nodes)
        # All of those that run, each as a master or as its replica, with the link between the two.
        seen = {server[1] for _, _, *servers in slots for server in servers}
        link = _replication(node).get("master_link_status", "up")
        return info.get("cluster_state") == "ok" and len(seen) >= running and link == "up"

    def _view(self, node: Node) -> str:
        """Return what a server that stands in the way sees, and says in its log."""
        if self._sees_all(node):
            return f"{node.port}: sees all"
        said = [node.process.poll(), node.says("CLUSTER INFO"), node.says("CLUSTER NODES"), _replication(node)]
        return "\n  ".join([f"{node.port}: {said}", *node.log().splitlines()[-_LOG_LINES:]])

    def _lines(self, node: Node) -> list[str]:
        nodes: Any = node.says("CLUSTER NODES")
        return list(nodes) if nodes else []


class Sentinels:
    """A master, its replica, and three that watch them."""

    def __init__(self, folder: Path) -> None:
        ports = _free_ports(bus=False)
        self.servers = [
            Node(folder / str(port), _server_options(folder / str(port), port), port=port)
            for port in itertools.islice(ports, 2)
        ]
        watched = f"sentinel monitor {SERVICE} 127.0.0.1 {self.servers[0].port} 2"
        self.sentinels = [
            Node(
                folder / str(port),
                {
                    "port": str(port),
                    "bind": "127.0.0.1",
                    "dir": str(folder / str(port)),
                    "requirepass": SENTINEL_PASSWORD,
                },
                port=port,
                sentinel=True,
            )
            for port in itertools.islice(ports, 3)
        ]
        for sentinel in self.sentinels:
            sentinel._config.write_text(
                f"{sentinel._config.read_text()}{watched}\n"
                f"sentinel auth-pass {SERVICE} {PASSWORD}\n"
                f"sentinel down-after-milliseconds {SERVICE} {_SILENT_MS}\n"
                f"sentinel failover-timeout {SERVICE} 5000\n"
            )
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        self.url = f"redis+sentinel://:{QUOTED}@{hosts}/{SERVICE}?sentinel_password={SENTINEL_PASSWORD}"

    @property
    def nodes(self) -> list[Node]:
        return [*self.servers, *self.sentinels]

    @property
    def master(self) -> Node:
        """The server that is the master by the word of most."""
        said = [sentinel.says("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE) for sentinel in self.sentinels]
        [(port, _)] = Counter(int(found[1]) for found in said if found).most_common(1)
        return next(server for server in self.servers if server.port == port)

    def start(self) -> None:
        master, replica = self.servers
        for server in self.servers:
            server.start()
        replica.client.execute_command("REPLICAOF", *master.address)
        for sentinel in self.sentinels:
            sentinel.process.start()
        for sentinel in self.sentinels:
            sentinel.process.wait_ready(time.monotonic() + GUARD_S)
        until("all to know each other", lambda: all(self._knows_all(one) for one in self.sentinels))

    def until_whole(self) -> None:
        """Return when there is one master, with a replica that follows it.

        A master that comes back is told so here: sentinels would take ten seconds to do it.
        """
        master = self.master
        [replica] = [server for server in self.servers if server is not master]
        replica.client.execute_command("REPLICAOF", *master.address)
        until("the sentinels to be whole", lambda: all(self._knows_all(one) for one in self.sentinels))
        until("the replica to follow", lambda: _replication(replica).get("master_link_status") == "up")

    def _knows_all(self, sentinel: Node) -> bool:
        state = sentinel.says("SENTINEL MASTER", SERVICE, return_responses=True) or {}
        return int(state.get("num-other-sentinels", 0)) == 2 and int(state.get("num-slaves", 0)) == 1


@contextlib.contextmanager
def redis_cluster() -> Iterator[Cluster]:
    """Run a cluster."""
    with tempfile.TemporaryDirectory(prefix="switchboard-cluster-") as folder:
        cluster = Cluster(Path(folder))
        with _stopped(cluster.nodes):
            cluster.start()
            yield cluster


@contextlib.contextmanager
def redis_sentinels() -> Iterator[Sentinels]:
    """Run a master, its replica and three sentinels."""
    with tempfile.TemporaryDirectory(prefix="switchboard-sentinels-") as folder:
        sentinels = Sentinels(Path(folder))
        with _stopped(sentinels.nodes):
            sentinels.start()
            yield sentinels


@contextlib.contextmanager
def _stopped(nodes: list[Node]) -> Iterator[None]:
    try:
        yield
    finally:
        for node in nodes:
            node.stop()


def _replication(node: Node) -> dict[str, Any]:
    return dict(node.says("INFO", "replication") or {})


def _server_options(folder: Path, port: int) -> dict[str, str]:
    return {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "save": "",
        "requirepass": PASSWORD,
        "masterauth": PASSWORD,
        "repl-diskless-sync": "yes",
        "repl-diskless-sync-delay": "0",
    }


def _free_ports(*, bus: bool) -> Iterator[int]:
    for port in random.sample(_PORTS, len(_PORTS)):
        if _is_free(port) and (not bus or _is_free(port + 10_000)):
            yield port


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _parts(count: int, parts: int) -> list[range]:
    borders = [count * part // parts for part in range(parts + 1)]
    return [range(first, behind) for first, behind in itertools.pairwise(borders)]

