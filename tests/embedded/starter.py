"""A small starter for the tests: real home, supervisor and stores, and toys where our own programs would be.

``python tests/embedded/starter.py HOME [--stores] [--identity=IDENTITY] [TOY...]``; each toy is a group of
its own, so they start in the order given.  Kinds of toy, by the first part of their name:

- ``obedient``  ends on SIGTERM and writes its name to HOME/stopped
- ``stubborn``  ignores SIGTERM
- ``crashing``  ends with status 1 as soon as it runs
- ``misfit``    ends with ``os.EX_CONFIG`` as soon as it runs, and has said why
- ``fragile``   does so once, then is obedient
- ``slow``      is never ready
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from gateway.embedded.errors import StartFailed
from gateway.embedded.home import Home
from gateway.embedded.output import Output
from gateway.embedded.postgres import EmbeddedPostgres
from gateway.embedded.process import Program
from gateway.embedded.redis import EmbeddedRedis
from gateway.embedded.stop_request import StopRequest
from gateway.embedded.supervisor import Supervisor

TOY = """
import os, pathlib, signal, sys, time
home, name = pathlib.Path(sys.argv[1]), sys.argv[2]
kind = name.partition("-")[0]
once = home / (name + ".crashed")
if kind == "crashing" or kind == "fragile" and not once.exists():
    once.touch()
    sys.exit(1)
if kind == "misfit":
    print(name, "knows what is wrong", flush=True)
    sys.exit(os.EX_CONFIG)
def stop(*_):
    with (home / "stopped").open("a") as file:
        file.write(name + "\\n")
    print(name, "says goodbye")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if kind == "stubborn" else stop)
if kind == "slow":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
else:
    (home / (name + ".ready")).touch()
print(name, "runs", flush=True)
while True:
    time.sleep(60)
"""


def stores(home: Home, identity: str | None) -> list[Program]:
    postgres = EmbeddedPostgres(
        data=home.data / "postgres",
        sockets=home.sockets,
        log=home.log / "postgres.log",
        identity=identity,
    )
    redis = EmbeddedRedis(data=home.data / "redis", sockets=home.sockets, log=home.log / "redis.log")
    return [postgres.prepare(), redis.prepare()]


def toy(home: Home, name: str) -> Program:
    return Program(
        name=name,
        argv=(sys.executable, "-I", "-S", "-c", TOY, str(home.root), name),
        # A toy that crashes is "ready" at once: what is tested is the time after the start.
        ready=lambda _pid: (home.root / f"{name}.ready").exists() or name.startswith(("crashing", "fragile", "misfit")),
        stop_max_s=0.5 if name.startswith("stubborn") else 5.0,
    )


def main() -> int:
    root, *arguments = sys.argv[1:]
    names = [argument for argument in arguments if not argument.startswith("--")]
    given = next((text.partition("=")[2] for text in arguments if text.startswith("--identity=")), None)
    stop_request, output, home = StopRequest(), Output(sys.stdout.buffer), Home(Path(root))
    try:
        home.open(time.monotonic() + 10)
        groups = [stores(home, given)] if "--stores" in arguments else []
        groups += [[toy(home, name)] for name in names]
        supervisor = Supervisor(
            groups,
            output=output,
            stop_request=stop_request,
            inherited_fds=home.inherited_fds,
            restart_delay_s=0.05,
        )
        try:
            if supervisor.start():
                output.say("starter", "everything is ready")
                supervisor.watch()
        finally:
            supervisor.stop(time.monotonic() + 10)
    except StartFailed as error:
        output.say("starter", str(error))
        return 1
    finally:
        home.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
