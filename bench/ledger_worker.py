"""The process that drives the ledger for bench.ledger; prints one :class:`bench.ledger.Run` as JSON."""

from gevent import monkey

monkey.patch_all()

from psycogreen.gevent import patch_psycopg

patch_psycopg()

import json
import sys
import time

import gevent
import msgspec

from bench.ledger import Run
from bench.stack import cpu_s
from gateway.domain.errors import SwitchboardError
from gateway.domain.message import Inbound, Message, Sender
from gateway.domain.reply import Reply, Text
from gateway.domain.turn import Settlement
from gateway.settings.lanes import LaneSettings
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.ledger import process
from gateway.store.ledger.arrange import Arrival
from gateway.store.ledger.ledger import Ledger
from gateway.store.ledger.settle import Settling
from gateway.store.postgres import Database

CONVERSATIONS = 256
REPLY = Reply(parts=(Text("All right."),))


def main(database_url: str, postgres_pid: int, seconds: float, rows_max: int, connections: int) -> Run:
    """Run *seconds* of turns in CONVERSATIONS conversations, one after the other in each."""
    store = StoreSettings(
        database_url=Secret(database_url),
        batch_rows_max=rows_max,
        batches_in_flight_max=max(2, connections // 2),
        connections_max=connections,
    )
    database = Database(store)
    me = database.run(lambda cursor: process.register(cursor, "gateway", "bench"))
    # Nothing beats here: nobody would declare this process dead within the run.
    ledger = Ledger(database, store, LaneSettings(dead_after_s=600.0), lambda: me)
    turns = 0

    def converse(name: str, until: float) -> None:
        nonlocal turns
        number = 0
        while time.perf_counter() < until:
            number += 1
            message = Message("text", text="something with gin and lemon, please")
            inbound = Inbound(name, (f"{name}:{until}:{number}",), Sender(name), message, "message", {})
            accepted = ledger.accept([Arrival("webchat", "bench", inbound, f"{number:032x}")])[0]
            if isinstance(accepted, SwitchboardError):
                raise accepted
            assert accepted.lane is not None
            assert accepted.head is not None
            settlement = Settlement(turn=accepted.head, state="answered", reply=REPLY)
            assert not ledger.settle(Settling(accepted.lane, settlement, keep=True)).lost
            turns += 1

    def round_of(length: float) -> float:
        nonlocal turns
        turns = 0
        began = time.perf_counter()
        names = [f"conversation-{number}" for number in range(CONVERSATIONS)]
        gevent.joinall([gevent.spawn(converse, name, began + length) for name in names], raise_error=True)
        return time.perf_counter() - began

    round_of(1.0)
    python, postgres = time.process_time(), cpu_s(postgres_pid)
    took = round_of(seconds)
    return Run(
        turns_s=turns / took,
        python_us=1e6 * (time.process_time() - python) / turns,
        postgres_us=1e6 * (cpu_s(postgres_pid) - postgres) / turns,
    )


sys.stdout.buffer.write(msgspec.json.encode(main(**json.loads(sys.argv[1]))))
