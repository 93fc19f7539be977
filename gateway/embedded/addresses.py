"""Where what ``switchboard up`` runs can be reached: written into its home, for commands in a second terminal.

So `switchboard simulate ...` finds the gateway of a copy that listens on another port, told no more than
SWITCHBOARD_HOME, or nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gateway.embedded.home import Home
from gateway.settings.environment import variable
from gateway.settings.server import ServerSettings

__all__ = ["STAND_IN", "Addresses", "free_port", "free_stand_in", "gateway_origin", "keep", "kept", "pointed_at"]

#: Where the working default looks for the stand-in of the platforms.
STAND_IN = "http://127.0.0.1:8089"
_FILE = "addresses.json"


class Addresses(msgspec.Struct, frozen=True):
    """Scheme, host and port of each."""

    gateway: str
    stand_in: str


def keep(home: Home, addresses: Addresses) -> None:
    """Write them down; they go with the sockets when the copy stops."""
    path = home.sockets / _FILE
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(msgspec.json.encode(addresses))
    unfinished.rename(path)


def kept(home: Home) -> Addresses | None:
    """Return the addresses of the copy that runs in *home*, or ran there last and was killed; None: there is none."""
    try:
        return msgspec.json.decode((home.sockets / _FILE).read_bytes(), type=Addresses)
    except (OSError, msgspec.DecodeError):
        return None


def gateway_origin(server: ServerSettings) -> str:
    """Return where the gateway answers on this machine."""
    # Listening on every address of a machine, it answers on this one too.
    everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nothing is bound here
    host = everywhere.get(server.host, server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}"


def free_stand_in() -> str:
    """Return where a stand-in can listen: at the address of the working default, or, if that is taken, anywhere.

    It is free until somebody else takes it, which ends `switchboard up` with a message and nothing worse.
    """
    host, port = STAND_IN.removeprefix("http://").split(":")
    return f"http://{host}:{free_port(int(port))}"


def free_port(wanted: int) -> int:
    """Return *wanted* if something can listen there on this machine, or another port where it can."""
    for candidate in (wanted, 0):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            port: int = listener.getsockname()[1]
            return port
    return wanted


def pointed_at(stand_in: str, table: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that lead the accounts of a settings file to *stand_in*.

    Only what the file points at :data:`STAND_IN` is turned: an account with a platform's own address keeps it.
    """
    return {variable(path): text for path, text in _turned(stand_in, ("accounts",), table.get("accounts"))}


def _turned(stand_in: str, path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _turned(stand_in, (*path, name), inner)
    elif isinstance(value, str):
        if value == STAND_IN or value.startswith(f"{STAND_IN}/"):
            yield path, stand_in + value.removeprefix(STAND_IN)
    elif isinstance(value, list):
        theirs, ours = STAND_IN.partition("://")[2], stand_in.partition("://")[2]
        if theirs in value:
            yield path, ",".join(ours if each == theirs else str(each) for each in value)
