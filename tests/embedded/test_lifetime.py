"""Children through the deaths of their starter: nothing is left running, nothing stored is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from gateway.embedded.home import Home
from gateway.embedded.postgres import EmbeddedPostgres
from gateway.embedded.process import as_child
from gateway.embedded.redis import EmbeddedRedis
from tests.embedded.running import STARTER, Running, running, starter, wait_gone, words


def postgres_url(home: Path) -> str:
    return EmbeddedPostgres(data=home, sockets=Home(home).sockets, log=home).url()


def redis_url(home: Path) -> str:
    return EmbeddedRedis(data=home, sockets=Home(home).sockets, log=home).url


def write_to_both(home: Path) -> None:
    connection = psycopg2.connect(postgres_url(home))
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('lime')")
    connection.close()
    with redis.Redis.from_url(redis_url(home)) as client:
        client.set("kept", "mint")


def assert_both_kept(home: Path) -> None:
    connection = psycopg2.connect(postgres_url(home))
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT word FROM kept")
        assert cursor.fetchall() == [("lime",)]
    connection.close()
    with redis.Redis.from_url(redis_url(home)) as client:
        assert client.get("kept") == b"mint"


def find(it: Running, name: str) -> psutil.Process:
    return next(process for process in it.descendants() if name in words(process))


def test_after_kill_9_of_the_starter_no_process_is_left_and_the_next_start_has_the_data(
    tmp_path: Path,
) -> None:
    """The kernel ends every child, backends included; a reused pid in postmaster.pid does not matter."""
    with starter(tmp_path, "--stores", "obedient-gateway", "stubborn-worker") as it:
        it.wait_for("everything is ready")
        children = it.descendants()
        assert len(children) > 5  # PostgreSQL's own among them
        write_to_both(tmp_path)
        it.process.kill()
        wait_gone(children)

    # The worst leftover: a pid that lives, is ours, and has nothing to do with PostgreSQL.
    (tmp_path / "data" / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    with starter(tmp_path, "--stores") as it:
        it.wait_for("everything is ready")
        assert_both_kept(tmp_path)
        it.signal(signal.SIGTERM)
        assert it.wait_end() == 0
    assert not Home(tmp_path).sockets.exists()


def test_stores_come_back_after_kill_9_of_their_own(tmp_path: Path) -> None:
    """A killed store is restarted on its data under the same address."""
    with starter(tmp_path, "--stores") as it:
        it.wait_for("everything is ready")
        write_to_both(tmp_path)
        find(it, "postgres").kill()
        it.wait_for("postgres ended with status -9; restarting it")
        find(it, "redis-server").kill()
        it.wait_for("redis ended with status -9; restarting it")
        it.wait_for_stores(postgres_url(tmp_path), redis_url(tmp_path))
        assert_both_kept(tmp_path)
        it.signal(signal.SIGTERM)
        assert it.wait_end() == 0


def test_a_cluster_that_was_killed_half_made_is_made_again(tmp_path: Path) -> None:
    """initdb works under another name until it is done, so its remains are recognised."""
    unfinished = tmp_path / "data" / "postgres.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("16\n")
    with starter(tmp_path, "--stores") as it:
        it.wait_for("everything is ready")
        assert not unfinished.exists()
        it.signal(signal.SIGTERM)
        assert it.wait_end() == 0


def test_a_deep_home_works(tmp_path: Path) -> None:
    """Socket paths may be 107 bytes long; a home may not be shorter just for that."""
    home = tmp_path / ("deep" * 30) / ("deeper" * 20)
    with starter(home, "--stores") as it:
        it.wait_for("everything is ready")
        write_to_both(home)
        children = it.descendants()
        it.process.kill()
        wait_gone(children)
    with starter(home, "--stores") as it:
        it.wait_for("everything is ready")
        assert_both_kept(home)
        it.signal(signal.SIGTERM)
        assert it.wait_end() == 0
    assert not Home(home).sockets.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else for PostgreSQL")
class TestAsRoot:
    """PostgreSQL refuses root, and root's folders refuse everybody else."""

    @pytest.mark.parametrize("kind", ["userns", "setuid"])
    def test_either_identity_sees_what_root_sees(self, tmp_path: Path, kind: str) -> None:
        """Inside a 0700 folder files can be read, and access(2) says so: initdb asks it of its binaries."""
        private = tmp_path / "private"
        private.mkdir(mode=0o700)
        (private / "file").touch(mode=0o755)
        command = (
            "import os, sys; sys.exit(not os.access(sys.argv[1], os.R_OK | os.X_OK) or os.geteuid() != 1)"
        )
        python = (os.path.realpath(sys.executable), "-I", "-S", "-c", command, str(private / "file"))
        argv = as_child(python, identity=f"{kind}:1:1", death_signal=signal.SIGKILL)
        assert subprocess.run(argv, check=False).returncode == 0

    @pytest.mark.parametrize("kinds", [("userns", "setuid"), ("setuid", "userns")])
    def test_a_home_inside_a_private_folder_moves_between_identities(
        self, tmp_path: Path, kinds: tuple[str, str]
    ) -> None:
        """Either identity runs it inside root's 0700 folder, and takes over the files of the other."""
        home = tmp_path / "private" / "home"
        home.parent.mkdir(mode=0o700)
        with starter(home, "--stores", f"--identity={kinds[0]}:1:1") as it:
            it.wait_for("everything is ready")
            write_to_both(home)
            it.signal(signal.SIGTERM)
            assert it.wait_end() == 0
        with starter(home, "--stores", f"--identity={kinds[1]}:1:1") as it:
            it.wait_for("everything is ready")
            assert_both_kept(home)
            it.signal(signal.SIGTERM)
            assert it.wait_end() == 0
        assert home.parent.stat().st_mode & 0o777 == 0o700

    def test_kill_9_reaches_a_child_that_became_another_user(self, tmp_path: Path) -> None:
        """A change of user clears the death signal, so it must be asked for afterwards."""
        with starter(tmp_path, "--stores", "--identity=setuid:1:1") as it:
            it.wait_for("everything is ready")
            children = it.descendants()
            it.process.kill()
            wait_gone(children)

    @pytest.mark.parametrize("uid", [1, 54321], ids=["named", "nameless"])
    def test_an_ordinary_user_can_run_it(self, tmp_path: Path, uid: int) -> None:
        """Under an ordinary uid everything works, even one that no file of users knows, as containers have.

        The uid is had through a user namespace, so that this checkout need not be readable to others.
        """
        launcher = [sys.executable, "-I", "-S", "gateway/embedded/child.py"]
        bound = [str(os.getpid()), str(int(signal.SIGKILL)), f"userns:{uid}:{uid}"]
        with running([*launcher, *bound, sys.executable, str(STARTER), str(tmp_path), "--stores"]) as it:
            it.wait_for("everything is ready")
            write_to_both(tmp_path)
            it.signal(signal.SIGTERM)
            assert it.wait_end() == 0
