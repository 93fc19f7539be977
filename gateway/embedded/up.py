"""``switchboard up``: everything on one machine, from nothing, in one process tree, until a signal."""

from __future__ import annotations

import errno
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.embedded.addresses import Addresses, gateway_origin, keep
from gateway.embedded.errors import StartFailed
from gateway.embedded.home import Home
from gateway.embedded.output import Output
from gateway.embedded.programs import Plan
from gateway.embedded.secret_files import ensure_secrets
from gateway.embedded.stop_request import StopRequest
from gateway.embedded.supervisor import Supervisor
from gateway.settings.load import SettingsError, home_folder, load
from gateway.settings.server import ServerSettings

__all__ = ["things_to_try", "up"]

#: Seconds that a new start waits for the processes of a killed one.
LEFTOVERS_MAX_S = 15.0
#: What the sample assistants' chat pages are for.
_CHATS = {
    "bartender": "ask The Bartender for a drink",
    "tasted": "cook with Tasted, and have it call when the time is up",
}
#: So many pages are named; /, where they are listed, has them all.
_CHATS_MAX = 5
#: Taken, or below 1024 and we are not root; anything else is the address's fault.
_PORTS_FAULT = frozenset({errno.EADDRINUSE, errno.EACCES})


def up(environment: Mapping[str, str]) -> int:
    """Run everything until a signal, and return the exit status."""
    stop_request = StopRequest()
    output = Output(sys.stdout.buffer)
    home = Home(home_folder(environment))
    try:
        home.open(time.monotonic() + LEFTOVERS_MAX_S)
        return _run(home, environment, output, stop_request)
    except (StartFailed, SettingsError) as error:
        for line in str(error).splitlines():
            output.say("switchboard", line)
        return 1
    finally:
        home.close()


def _run(home: Home, environment: Mapping[str, str], output: Output, stop_request: StopRequest) -> int:
    ensure_secrets(home.secrets)
    plan = Plan(home, environment)
    # Before anything is started: a mistake in the settings, or a busy port, is told once and by us.
    settings = load(None, plan.environment)
    _refuse_busy_port(settings.server)
    keep(home, Addresses(gateway_origin(settings.server), plan.stand_in))
    supervisor = Supervisor(
        plan.groups(settings), output=output, stop_request=stop_request, inherited_fds=home.inherited_fds
    )
    try:
        if supervisor.start():
            for line in things_to_try(settings.server, settings.accounts, environment):
                output.say("switchboard", line)
            supervisor.watch()
    finally:
        supervisor.stop(time.monotonic() + plan.stop_max_s(settings))
    return 0


def _refuse_busy_port(server: ServerSettings) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
        try:
            listener.bind((server.host, server.port))
        except OSError as error:
            remedy = "PORT to a free one" if error.errno in _PORTS_FAULT else "HOST to an address of this machine"
            raise StartFailed(
                f"cannot listen on {server.host}:{server.port}: {error.strerror}; set {remedy}", reason="port"
            ) from error


def things_to_try(
    server: ServerSettings, accounts: Iterable[tuple[str, str]], environment: Mapping[str, str]
) -> list[str]:
    """Return what is said when all is ready: of *accounts*, each its channel and its name, what there is to try.

    Its commands can be pasted into a second terminal as they stand.
    """
    base = gateway_origin(server)
    command = os.path.relpath(Path(sys.executable).with_name("switchboard"))
    if environment.get("SWITCHBOARD_HOME"):
        # The second terminal has not this one's variables.
        command = f"SWITCHBOARD_HOME={shlex.quote(str(home_folder(environment)))} {command}"
    there = set(accounts)
    chats = sorted(name for channel, name in there if channel == "webchat")[:_CHATS_MAX]
    pages = [(f"/chat/{name}", _CHATS.get(name, "its chat page")) for name in chats]
    pages += [("/readyz", "what it needs, and whether that answers"), ("/metrics", "what it counts")]
    commands = [f"chat {name}    the same in a terminal" for name in chats[:1]]
    if ("slack", "bartender") in there:
        commands.append('simulate slack bartender "I have rum and lime"    what a user of Slack sees')
    if {("webchat", name) for name in _CHATS} <= there:
        commands.append("play    whole conversations, and whether they went as written")
    commands.append("conversations list")
    width = max(len(path) for path, _ in pages) + 4
    return [
        "Ready.  Things to try:",
        *(f"  {base}{path:<{width}}{what}" for path, what in pages),
        *(f"  {command} {line}" for line in commands),
        f"Ctrl-C stops everything; what runs then has {server.drain_s:g} s to end (server.drain_s).",
    ]
