"""Become a child that dies with its parent, perhaps under another identity, then become the program.

Run as a script, ``python -I -S child.py PARENT_PID DEATH_SIGNAL IDENTITY argv...``, and not as a
``preexec_fn``, which is unsafe in a process with threads.  Standard library only.

IDENTITY is one of

- ``same``            nothing changes;
- ``userns:UID:GID``  a user namespace in which our uid is called UID.  PostgreSQL, which refuses root,
  sees an ordinary user; towards the file system the process is still root, so it may read a checkout
  inside a 0700 folder of root's, and owns what root owns;
- ``setuid:UID:GID``  really another user, for containers that forbid namespaces.  CAP_DAC_OVERRIDE is
  kept, and nothing else, for the same 0700 folders: opening parent folders to others is not ours to do.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

#: sysexits.h EX_NOPERM: this identity is not to be had here.
EXIT_NO_IDENTITY = 77

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP = 28, 1 << 2
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def main() -> None:
    parent, death_signal, identity, *argv = sys.argv[1:]
    try:
        _become(ctypes.CDLL(None, use_errno=True), identity)
    except OSError as error:
        sys.stderr.write(f"cannot become {identity}: {error}\n")
        sys.exit(EXIT_NO_IDENTITY)
    # After the change of identity, which clears it; it survives exec.
    set_death_signal(signal.Signals(int(death_signal)))
    if os.getppid() != int(parent):  # died before we had asked for its signal
        sys.exit(1)
    os.execv(argv[0], argv)


def set_death_signal(number: signal.Signals) -> None:
    """Have the kernel send us *number* when our parent is gone."""
    _check(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0))


def _become(libc: ctypes.CDLL, identity: str) -> None:
    kind, *ids = identity.split(":")
    if kind == "userns":
        _enter_namespace(libc, *map(int, ids))
    elif kind == "setuid":
        _change_user(libc, *map(int, ids))


def _enter_namespace(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    outside_uid, outside_gid = os.geteuid(), os.getegid()
    _check(libc.unshare(_CLONE_NEWUSER))
    Path("/proc/self/setgroups").write_text("deny")  # user_namespaces(7): before gid_map
    Path("/proc/self/uid_map").write_text(f"{uid} {outside_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {outside_gid} 1")


def _change_user(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    # So that leaving root does not drop the capability, and access(2) heeds it: initdb asks that about its
    # binaries.
    _check(libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    # struct __user_cap_header, then two of __user_cap_data (effective, permitted, inheritable): capget(2).
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    mask = 1 << _CAP_DAC_OVERRIDE
    _check(libc.capset(header, (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)))
    _check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
