"""Somebody other than root for PostgreSQL to run as; ``child.py`` explains the two ways."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess

from gateway.embedded.child import EXIT_NO_IDENTITY
from gateway.embedded.errors import StartFailed
from gateway.embedded.process import as_child

__all__ = ["find_identity", "owner"]


def find_identity() -> str:
    """Return the identity to run PostgreSQL under: ours if ordinary, else the first that is to be had."""
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return "same"
    # initdb looks its uid up, so it must be one with a name; nobody's number also stands for "not mapped".
    user = next((user for user in pwd.getpwall() if user.pw_uid not in (0, 65534)), pwd.getpwnam("nobody"))
    for kind in ("userns", "setuid"):
        candidate = f"{kind}:{user.pw_uid}:{user.pw_gid}"
        argv = as_child(("/bin/true",), identity=candidate, death_signal=signal.SIGKILL)
        if subprocess.run(argv, capture_output=True, timeout=10, check=False).returncode != EXIT_NO_IDENTITY:
            return candidate
    who = "as root" if os.geteuid() == 0 else f"as uid {os.geteuid()}, which has no name here"
    raise StartFailed(
        f"PostgreSQL refuses to run {who}, and this machine allows neither a user namespace nor a change of "
        "user: run as an ordinary user, or set DATABASE_URL",
        reason="no_identity",
    )


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def owner(identity: str) -> tuple[int, int]:
    """Return the uid and gid that own the files of a process with this identity, as seen from here."""
    kind, *ids = identity.split(":")
    return (int(ids[0]), int(ids[1])) if kind == "setuid" else (os.geteuid(), os.getegid())
