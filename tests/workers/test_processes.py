"""The parent of worker processes: toys for children, a real ledger, real signals."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import redis

from gateway.supervision import GAVE_UP
from tests.embedded.running import running, wait_gone
from tests.support.stores import Stores
from tests.support.waiting import until
from tests.workers.parents import Family, family

Families = Callable[..., AbstractContextManager[Family]]


@pytest.fixture
def families(database: str, redis_url: str, tmp_path: Path) -> Families:
    """Runs a parent of so many toys of a kind."""

    def start(kind: str, processes: int, *more: str, **settings: float) -> AbstractContextManager[Family]:
        own = {"worker.processes": processes, **{name.replace("__", "."): value for name, value in settings.items()}}
        return family(database, redis_url, tmp_path, kind, *more, settings=own)

    return start


def test_each_child_has_a_name_and_a_port_of_its_own(families: Families) -> None:
    """The name holds its pid, and a word, so that no later process is taken for it."""
    with families("obedient", 3, worker__metrics_port=9100) as them:
        pids = them.wait_living(3)
        labels = [row["label"] for row in them.living().values()]
        until("all to have spoken", lambda: len(them.said()) == 3)
        assert sorted(said.pid for said in them.said()) == pids
        assert sorted(said.port for said in them.said()) == [9100, 9101, 9102]
        assert len({label.split(":")[2] for label in labels}) == 3
        assert all(os.getsid(pid) == pid for pid in pids), "a Ctrl-C reaches the parent alone"


def test_a_killed_child_is_dead_in_the_ledger_at_once_and_another_takes_its_place(
    families: Families, redis_url: str
) -> None:
    """Nobody's beat is looked at here: no process but the parent could have said so.  The others are told."""
    with families("obedient", 2, worker__metrics_port=9100) as them, redis.Redis.from_url(redis_url) as client:
        first, other = them.wait_living(2)
        hearing = client.pubsub(ignore_subscribe_messages=True)
        hearing.subscribe("switchboard:workers")
        until("being subscribed", lambda: client.pubsub_numsub("switchboard:workers")[0][1] == 1)
        before = them.living()[first]
        os.kill(first, signal.SIGKILL)
        them.wait_dead(first)
        row = them.ledger.rows("SELECT epoch FROM processes WHERE id = %s", before["id"])[0]
        assert row["epoch"] == before["epoch"] + 1
        assert not them.ledger.rows("SELECT 1 FROM job_partitions WHERE owner_process = %s", before["id"])
        heard = until("a hint", lambda: hearing.get_message(timeout=0.1))
        assert heard["data"] == b'{"type":"partitions_free"}'
        hearing.close()
        new = set(them.wait_living(2)) - {other}
        assert first not in new
        until("the new one to have spoken", lambda: len(them.said()) == 3)
        ports = {said.pid: said.port for said in them.said()}
        assert ports[new.pop()] == ports[first], "it took the dead one's place"


def test_a_crash_counts_a_death_and_an_end_that_was_ordered_does_not(families: Families) -> None:
    """Law: a job is given up after so many deaths of its process, so nobody else's kill may count as one."""
    with families("stubborn", 1, server__drain_s=0.1) as them:
        (first,) = them.wait_living(1)
        insert_claimed_job(them, first)
        os.kill(first, signal.SIGKILL)
        them.wait_dead(first)
        assert deaths(them) == 1
        (second,) = them.wait_living(1)
        insert_claim(them, second)
        them.it.signal(signal.SIGTERM)
        assert them.it.wait_end() == 1, "a child had to be killed"
        assert not them.living()
        assert deaths(them) == 1
        assert "reason=killed" in "\n".join(them.it.lines)


def test_a_child_that_ended_in_order_is_started_again_and_counts_nothing(families: Families) -> None:
    """Somebody told the child and not the parent: careless ones do not even leave the ledger."""
    with families("careless", 1) as them:
        (first,) = them.wait_living(1)
        insert_claimed_job(them, first)
        os.kill(first, signal.SIGTERM)
        them.wait_dead(first)
        assert deaths(them) == 0
        assert them.wait_living(1) != [first]
        assert them.partitions() == 1


def test_children_that_keep_ending_end_their_parent_and_the_others_in_order(families: Families) -> None:
    with families("mixed", 2, "3", worker__metrics_port=9100) as them:
        assert them.it.wait_end() == GAVE_UP
        told = "\n".join(them.it.lines)
        assert "worker.gave_up" in told
        assert "restarts=4" in told
        assert told.count("reason=crashed") == 4
        assert "worker.stopped" in told
        assert not them.living()


def test_all_work_is_said_once_every_child_is_in_the_ledger(families: Families, tmp_path: Path) -> None:
    """Whoever waits for it need not look into the ledger, where what does not listen is seen alone."""
    with families("shy", 2) as them:
        them.it.wait_for("worker.started")
        them.it.wait_for("worker.started")
        (tmp_path / "go").touch()
        them.it.wait_for("all work")
        assert len(them.wait_living(2)) == 2
        them.it.signal(signal.SIGTERM)
        assert them.it.wait_end() == 0
        assert "\n".join(them.it.lines).count("all work") == 1


def test_children_that_cannot_start_with_their_settings_are_not_started_again(families: Families) -> None:
    """What is wrong has been said; said again every second it only hides everything else."""
    with families("misfit", 2) as them:
        assert them.it.wait_end() == os.EX_CONFIG
        told = "\n".join(them.it.lines)
        assert told.count("worker.started") == told.count("reason=misfit") == 2


def test_a_child_that_cannot_start_leaves_the_others_at_work(families: Families) -> None:
    """Those read their settings when they were sound: a mistake in a change is no outage."""
    with families("uneven", 2, worker__metrics_port=9100) as them:
        them.it.wait_for("reason=misfit")
        them.wait_living(1)
        them.it.signal(signal.SIGTERM)
        assert them.it.wait_end() == 0
        assert "worker.stopped" in "\n".join(them.it.lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_are_told_at_once_and_waited_for(families: Families, number: signal.Signals) -> None:
    with families("obedient", 3) as them:
        pids = them.wait_living(3)
        children = them.it.descendants()
        them.it.signal(number)
        assert them.it.wait_end() == 0
        wait_gone(children)
        assert sorted(said.pid for said in them.said() if said.word == "told") == pids
        assert not them.living()
        assert them.partitions() == 0


def test_one_that_was_told_before_it_could_hear_ended_in_order(families: Families) -> None:
    """A signal that comes while a child is being imported ends it by itself; it had not begun."""
    with families("shy", 1) as them:
        them.it.wait_for("worker.started")
        them.it.signal(signal.SIGTERM)
        assert them.it.wait_end() == 0
        assert "worker.stopped" in "\n".join(them.it.lines)


def test_a_second_word_kills(families: Families) -> None:
    """The drain would take an hour."""
    with families("stubborn", 2, server__drain_s=3_600) as them:
        them.wait_living(2)
        them.it.signal(signal.SIGTERM)
        them.it.signal(signal.SIGINT)
        assert them.it.wait_end() == 1
        assert not them.living()


def test_what_a_killed_worker_owned_is_another_ones_at_once(families: Families) -> None:
    """Its beat would have told an hour later."""
    with families("heir", 2, lanes__beat_s=1_000.0, lanes__dead_after_s=3_600.0) as them:
        first, other = them.wait_living(2)
        until("both to own their share", lambda: them.owners() == {first: 16, other: 16})
        killed_at = time.monotonic()
        os.kill(first, signal.SIGKILL)
        heirs = until("owners of all", lambda: first not in (found := them.owners()) and found)
        print(f"all partitions were owned again {time.monotonic() - killed_at:.2f} s after the kill")
        assert other in heirs
        until("the new one to own its share", lambda: sorted(them.owners().values()) == [16, 16])


def test_a_killed_parent_leaves_no_child(families: Families) -> None:
    with families("stubborn", 3) as them:
        them.wait_living(3)
        children = them.it.descendants()
        assert len(children) == 3
        them.it.process.kill()
        wait_gone(children)


def test_children_are_replaced_one_at_a_time(families: Families, tmp_path: Path) -> None:
    """The next one is told to stop only once the last new one is in the ledger, however long that takes."""
    (tmp_path / "go").touch()
    with families("shy", 3) as them:
        old = them.wait_living(3)
        (tmp_path / "go").unlink()
        them.it.signal(signal.SIGHUP)
        until("one to be told", lambda: "told" in {said.word for said in them.said()})
        for _ in range(4):  # three at the start, and the one that takes the first one's place
            them.it.wait_for("worker.started")
        (tmp_path / "go").touch()
        them.wait_replaced(old)
        words = [said.word for said in them.said()]
        assert words == ["registered"] * 3 + ["told", "registered"] * 3


def test_settings_that_are_wrong_or_need_a_new_start_replace_nobody(families: Families, tmp_path: Path) -> None:
    with families("obedient", 2) as them:
        pids = them.wait_living(2)
        config = tmp_path / "switchboard.toml"
        sound = config.read_text()
        for text, reason in (
            (sound.replace("[rpc]", "[rcp]"), "settings"),
            (sound + "\n[store]\nbatch_rows_max = 7\n", "processes_or_store_changed"),
        ):
            config.write_text(text)
            them.it.signal(signal.SIGHUP)
            assert f"reason={reason}" in them.it.wait_for("worker.not_replaced")
        assert any("rcp" in line for line in them.it.lines), "what is wrong is told"
        assert them.wait_living(2) == pids


def test_a_death_is_written_whenever_postgresql_is_there_again(
    families: Families, stores: Stores, database: str
) -> None:
    """And a signal is heeded meanwhile."""
    name = database.partition("?")[0].rpartition("/")[2]
    with families("stubborn", 1, server__drain_s=0.1) as them:
        (first,) = them.wait_living(1)
        stores.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            os.kill(first, signal.SIGKILL)
            them.it.wait_for("store.unavailable")
        finally:
            stores.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        them.wait_dead(first)


def test_a_parent_ends_without_postgresql(families: Families, stores: Stores, database: str) -> None:
    name = database.partition("?")[0].rpartition("/")[2]
    with families("careless", 1) as them:
        (first,) = them.wait_living(1)
        stores.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            them.it.signal(signal.SIGTERM)
            assert them.it.wait_end() == 0
        finally:
            stores.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert list(them.living()) == [first], "its beat will tell"


@pytest.mark.parametrize(
    ("processes", "env", "status", "told"),
    [
        ("33", {}, 2, "33 is not in the range"),
        ("0", {}, 2, "0 is not in the range"),
        (
            "3",
            {"SWITCHBOARD_WORKER__METRICS_PORT": "65534"},
            os.EX_CONFIG,
            "the last one's would be 65536",
        ),
    ],
)
def test_what_cannot_be_is_told_once_and_starts_nobody(
    tmp_path: Path, processes: str, env: dict[str, str], status: int, told: str
) -> None:
    stores = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1/0"}
    argv = [sys.executable, "-m", "gateway.cli", "worker", "--processes", processes]
    with running(argv, env={"SWITCHBOARD_HOME": str(tmp_path), **stores, **env}) as it:
        assert it.wait_end() == status
    assert sum(told in line for line in it.lines) == 1, it.lines
    assert not any("worker.started" in line for line in it.lines)


def insert_claimed_job(them: Family, pid: int) -> None:
    """Put a job into the hands of a child."""
    them.ledger.rows(
        "SELECT * FROM jobs_enqueue('{k}', '{l}', '{1}', ARRAY['null'], ARRAY[NULL::float8], '{NULL}', '{0}', '{t}')"
    )
    insert_claim(them, pid)


def insert_claim(them: Family, pid: int) -> None:
    process = them.living()[pid]["id"]
    # Only what it still owns can have been running there.
    them.ledger.rows("SELECT * FROM job_partitions_take(%s, 1, 32)", process)
    them.ledger.rows(
        "INSERT INTO job_claims (process, epoch, jobs) SELECT %s, 1, array_agg(id) FROM jobs", process
    )


def deaths(them: Family) -> int:
    return int(them.ledger.rows("SELECT deaths FROM jobs")[0]["deaths"])
