"""The real parent with toys for children: ``python tests/workers/toys.py KIND FOLDER [RESTARTS_MAX]``.

A toy registers in the ledger and takes a partition, as a worker does, and writes what happens to it to FOLDER/log.
Kinds:

- ``obedient``  on SIGTERM it leaves the ledger and ends with status 0
- ``careless``  ends with status 0, but does not leave
- ``stubborn``  ignores SIGTERM
- ``crashing``  ends with status 1 as soon as it runs
- ``mixed``     the first one is crashing, the others are obedient
- ``misfit``    ends with ``os.EX_CONFIG`` as soon as it runs
- ``uneven``    the first one is a misfit, the others are obedient
- ``shy``       obedient, but registers only while FOLDER/go is there
- ``heir``      no toy: owns its share of all partitions, by heir.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gateway import telemetry
from gateway.settings.load import load
from gateway.telemetry import logs
from workers.processes.parent import RESTARTS_MAX, Parent

HEIR = str(Path(__file__).with_name("heir.py"))
TOY = """
import os, pathlib, signal, sys, time
import psycopg2
kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
label = os.environ["SWITCHBOARD_WORKER_LABEL"].replace("{pid}", str(os.getpid()))
port = os.environ.get("SWITCHBOARD_WORKER__METRICS_PORT", "0")
if kind == "crashing" or kind == "mixed" and port.endswith("0"):
    sys.exit(1)
if kind == "misfit" or kind == "uneven" and port.endswith("0"):
    sys.exit(os.EX_CONFIG)
def log(word):
    with (folder / "log").open("a") as file:
        file.write(f"{word} {os.getpid()} {port}\\n")
def run(statement, *values):
    cursor.execute(statement, values)
    return cursor.fetchone()
connection = psycopg2.connect(os.environ["DATABASE_URL"])
connection.autocommit = True
cursor = connection.cursor()
def stop(*_):
    log("told")
    if kind != "careless":
        run("SELECT * FROM process_leave(%s, %s)", *me)
    os._exit(0)
while kind == "shy" and not (folder / "go").exists():
    time.sleep(0.02)
# Before it is so: what follows from it is written later.
log("registered")
me = run("SELECT * FROM process_register('worker', %s)", label)
run("SELECT * FROM job_partitions_take(%s, %s, 1)", *me)
signal.signal(signal.SIGTERM, signal.SIG_IGN if kind == "stubborn" else stop)
while True:
    time.sleep(60)
"""


def main() -> int:
    kind, folder, *rest = sys.argv[1:]
    settings = load()
    telemetry.attach(logs.configure(settings.logging))
    parent = Parent(
        settings,
        dict(os.environ),
        reread=load,
        # Others' parents have no connection to the ledger until somebody dies, and some tests take theirs away.
        on_ready=(lambda: print("all work", flush=True)) if kind == "shy" else None,
        argv=(sys.executable, HEIR) if kind == "heir" else (sys.executable, "-I", "-c", TOY, kind, folder),
        restarts_max=int(rest[0]) if rest else RESTARTS_MAX,
    )
    return parent.run()


if __name__ == "__main__":
    sys.exit(main())
