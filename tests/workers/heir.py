"""A child for the parent's tests that does nothing but own partitions, by the parts of the product that do that."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

from psycogreen.gevent import patch_psycopg

patch_psycopg()

import os
import signal
import sys

import gevent
from gevent.event import Event

from gateway.domain.hint import Hint, PartitionsFree
from gateway.lanes.owner import Owner
from gateway.settings.load import load
from gateway.store.postgres import Database
from gateway.store.signals import Signals
from gateway.supervision import Supervisor
from workers.label import LABEL_VARIABLE, with_pid
from workers.partitions import Partitions


def main() -> int:
    label = with_pid(os.environ.pop(LABEL_VARIABLE), os.getpid())
    settings = load()
    database = Database(settings.store)
    owner = Owner(database, settings.lanes, kind="worker", label=label, on_dead=lambda: None)

    def hear(hint: Hint) -> None:
        if isinstance(hint, PartitionsFree):
            partitions.hint()

    signals = Signals(settings.store, audience="workers", on_hint=hear)
    partitions = Partitions(
        database,
        owner,
        settings.jobs,
        dead_after_s=settings.lanes.dead_after_s,
        on_taken=lambda fences: None,
        on_release=lambda partitions: None,
        running_of=lambda partition: 0,
        announce=lambda: signals.publish("workers", PartitionsFree()),
    )
    told = Event()
    gevent.signal_handler(signal.SIGTERM, told.set)
    supervisor = Supervisor()
    for run in (
        signals.listen_forever,
        signals.publish_forever,
        owner.beat_forever,
        partitions.watch_forever,
    ):
        supervisor.add(run.__name__, run)
    supervisor.start()
    told.wait()
    owner.leave()
    return 0


if __name__ == "__main__":
    sys.exit(main())
