"""The way from a command to a server: through a cluster's slots, or to the master that sentinels name."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gevent
import pytest
import redis
from redis.crc import key_slot

from gateway.domain.errors import StoreUnavailable
from gateway.settings.redis_address import redis_address
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.redis_client import RedisClient, redis_client
from gateway.store.redis_servers import Servers
from gateway.store.redis_several import PartlyReached
from gateway.store.redis_topology import Address
from gateway.store.signals import Signals
from tests.support.redis_several import PASSWORD, QUOTED, Cluster, Node, Sentinels

KEYS = [f"client:{{{number}}}" for number in range(32)]


@pytest.fixture
def client(store_settings: StoreSettings) -> Iterator[RedisClient]:
    client = redis_client(store_settings)
    yield client
    client.close()


@pytest.fixture
def cluster_client(cluster: Cluster) -> Iterator[RedisClient]:
    client = redis_client(StoreSettings(redis_url=Secret(cluster.url)))
    yield client
    client.close()


def test_a_pipeline_reaches_every_server_and_answers_in_order(
    client: RedisClient, several: Cluster | Sentinels
) -> None:
    pipeline = client.pipeline(transaction=False)
    for number, key in enumerate(KEYS):
        pipeline.set(key, number)
        pipeline.get(key)
    answers = pipeline.execute()
    assert answers == [answer for number in range(32) for answer in (True, b"%d" % number)]
    if isinstance(several, Cluster):
        assert len({several.master_of(key_slot(key.encode())).port for key in KEYS}) == 3, "or it proved nothing"


def test_a_script_is_learnt_by_each_server_that_needs_it(
    client: RedisClient, several: Cluster | Sentinels
) -> None:
    """Law: a failover or a restart forgets scripts; nobody has to know."""
    add = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    for times in (1, 2):
        for node in several.nodes:
            node.says("SCRIPT FLUSH")
        assert [add(keys=["sum:{a}"], args=[3]), add(keys=["sum:{c}"], args=[4])] == [3 * times, 4 * times]


def test_several_streams_of_one_slot_are_read_together(client: RedisClient) -> None:
    client.xadd("{stream}:1", {"j": "1"})
    assert client.xread({"{stream}:2": "0", "{stream}:1": "0"}, count=1)
    client.delete("{stream}:1")


def test_a_command_whose_server_is_not_known_is_refused(client: RedisClient) -> None:
    """Law: nothing is sent to some server in the hope that it is the right one."""
    with pytest.raises(ValueError, match="FLUSHALL has not been taught"):
        client.execute_command("FLUSHALL")


def test_every_master_is_asked_for_a_sign_of_life(client: RedisClient, several: Cluster | Sentinels) -> None:
    def pings() -> int:
        stats = [node.client.info("commandstats").get("cmdstat_ping", {"calls": 0}) for node in _masters(several)]
        return sum(stat["calls"] for stat in stats)

    masters, before = len(_masters(several)), pings()
    assert client.ping()
    # Replicas and sentinels ask too; ours are there beside theirs.
    assert pings() >= before + masters


def test_whoever_is_not_let_in_is_told_so_and_not_with_what(several: Cluster | Sentinels) -> None:
    wrong = several.url.replace(QUOTED, "hunter2")
    signals = Signals(StoreSettings(redis_url=Secret(wrong)), audience="gateways", on_hint=print)
    with pytest.raises(StoreUnavailable) as error:
        signals.ping()
    assert "hunter2" not in f"{error.value} {error.value.__cause__!r}"
    signals.close()


@pytest.mark.parametrize("url", ["rediss+cluster://me:pw@h?{}", "rediss+sentinel://me:pw@h/hints?{}"])
def test_tls_is_spoken_with_what_the_address_says_of_it(url: str) -> None:
    """The server that tests start speaks none, so this is as far as it goes: redis-py takes every option."""
    files = "ssl_ca_certs=/ca.pem&ssl_certfile=/me.pem&ssl_keyfile=/me.key"
    address = redis_address(url.format(f"{files}&ssl_cert_reqs=required&ssl_check_hostname=no"))
    assert address is not None
    servers = Servers(address, timeout_s=0.5)
    connection = servers.client(Address("h", 1)).connection_pool.make_connection()
    assert isinstance(connection, redis.SSLConnection)
    assert (connection.ca_certs, connection.certfile, connection.keyfile) == ("/ca.pem", "/me.pem", "/me.key")
    assert connection.check_hostname is False
    assert (connection.username, connection.password) == ("me", "pw")
    servers.close()


@pytest.mark.parametrize("scheme", ["redis+cluster://127.0.0.1:1,127.0.0.1:2", "redis+sentinel://127.0.0.1:1/hints"])
def test_nothing_is_asked_before_the_first_command_and_nobody_waits_long(scheme: str) -> None:
    """Law: a process starts while Redis is away; and after a failure nobody asks again for a moment."""
    client = redis_client(StoreSettings(redis_url=Secret(scheme), redis_timeout_s=0.5))
    started = time.monotonic()
    for _ in range(200):
        with pytest.raises(redis.ConnectionError, match="nobody says"):
            client.get("a")
    assert time.monotonic() - started < 5
    client.close()
    client.close()


def test_a_name_that_no_sentinel_knows_is_told(sentinels: Sentinels) -> None:
    client = redis_client(StoreSettings(redis_url=Secret(sentinels.url.replace("/hints", "/hinst"))))
    with pytest.raises(redis.ConnectionError, match="nobody says") as error:
        client.get("a")
    assert "No such master" in str(error.value.__cause__)
    client.close()


def test_one_of_the_servers_named_is_enough(several: Cluster | Sentinels) -> None:
    host, port = "127.0.0.1", several.nodes[-1].port
    if isinstance(several, Cluster):
        url = f"redis+cluster://:{QUOTED}@{host}:1,{host}:{port}"
    else:
        url = several.url.replace(f"{host}:{several.sentinels[0].port}", f"{host}:1")
    client = redis_client(StoreSettings(redis_url=Secret(url)))
    assert client.ping()
    client.close()


def test_a_slot_that_has_moved_is_followed_and_remembered(cluster: Cluster, cluster_client: RedisClient) -> None:
    cluster_client.set("moved", 1)
    cluster_client.delete("moved")
    slot = key_slot(b"moved")
    old = cluster.master_of(slot)
    new = next(node for node in _masters(cluster) if node is not old)
    _assign(cluster, slot, new)
    try:
        cluster_client.set("moved", 2)
        before = _refused(old)
        assert cluster_client.get("moved") == b"2"
        assert _refused(old) == before, "the second command went to the right one at once"
        assert new.client.get("moved") == b"2"
        cluster_client.delete("moved")
    finally:
        _assign(cluster, slot, old)


def test_a_slot_that_is_moving_is_asked_for_where_its_keys_go(cluster: Cluster, cluster_client: RedisClient) -> None:
    """Law: ASK is for this command alone, in pipelines too; the slot is still the old one's."""
    slot = key_slot(b"{moving}")
    old = cluster.master_of(slot)
    new = next(node for node in _masters(cluster) if node is not old)
    ids = {node: node.says("CLUSTER", "MYID").decode() for node in (old, new)}
    new.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[old])
    old.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[new])
    try:
        pipeline = cluster_client.pipeline(transaction=False)
        for number in range(3):
            pipeline.set(f"{{moving}}:{number}", number)
            pipeline.get(f"{{moving}}:{number}")
            pipeline.get("elsewhere")
        assert pipeline.execute() == [True, b"0", None, True, b"1", None, True, b"2", None]
        assert cluster_client.get("{moving}:1") == b"1"
        for number in range(3):
            cluster_client.delete(f"{{moving}}:{number}")
    finally:
        for node in (old, new):
            node.client.execute_command("CLUSTER", "SETSLOT", slot, "STABLE")


def test_what_one_server_refuses_is_told_apart_from_nothing_done(
    cluster: Cluster, cluster_client: RedisClient
) -> None:
    full = cluster.master_of(key_slot(KEYS[0].encode()))
    full.client.config_set("maxmemory", "1")
    try:
        pipeline = cluster_client.pipeline(transaction=False)
        for key in KEYS:
            pipeline.set(key, "x")
        with pytest.raises(PartlyReached, match="of 32 commands failed") as error:
            pipeline.execute()
        assert isinstance(error.value.__cause__, redis.OutOfMemoryError)
        with pytest.raises(redis.OutOfMemoryError):
            cluster_client.set(KEYS[0], "x")
    finally:
        full.client.config_set("maxmemory", "0")


def test_a_killed_caller_leaves_nothing_behind(cluster: Cluster, cluster_client: RedisClient) -> None:
    """Law: what a killed greenlet waited for is not what the next one reads."""
    cluster_client.set("killed", 7)
    for node in _masters(cluster):
        node.client.execute_command("CLIENT", "PAUSE", 300)
    pipeline = cluster_client.pipeline(transaction=False)
    for key in KEYS:
        pipeline.set(key, "late")
    caller = gevent.spawn(pipeline.execute)
    gevent.sleep(0.05)  # Let it send; that the servers are silent cannot be waited for.
    caller.kill()
    assert cluster_client.get("killed") == b"7"


def _masters(several: Cluster | Sentinels) -> list[Node]:
    if isinstance(several, Sentinels):
        return [several.master]
    return [node for node in several.nodes if node.client.info("replication")["role"] == "master"]


def _assign(cluster: Cluster, slot: int, node: Node) -> None:
    owner = node.says("CLUSTER", "MYID").decode()
    for one in _masters(cluster):
        one.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", owner)


def _refused(node: Node) -> int:
    """Return how many commands it sent elsewhere."""
    stats = node.client.info("errorstats")
    return int(stats.get("errorstat_MOVED", {"count": 0})["count"])


assert PASSWORD not in QUOTED
