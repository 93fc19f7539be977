"""The process that acts: what every claim of a lane or an outbox row is made in the name of."""

from __future__ import annotations

import msgspec
from psycopg2.extensions import cursor as Cursor

__all__ = [
    "Buried", "Process", "adopt", "beat", "bury", "declare_dead", "free", "leave", "lives", "owned", "register",
    "revive",
]  # fmt: skip


class Process(msgspec.Struct, frozen=True):
    """A row in ``processes``.  The epoch changes when it is declared dead and comes back."""

    process_id: int
    epoch: int


class Buried(msgspec.Struct, frozen=True):
    """What was found of dead processes: how many of them, lanes set free, sends whose fate is unknown."""

    processes: int = 0
    lanes: int = 0
    sends: int = 0


def register(cursor: Cursor, kind: str, label: str) -> Process:
    """Make this process known; it is alive from now on, as long as it beats."""
    cursor.execute("SELECT * FROM process_register(%s, %s)", (kind, label))
    return Process(*_one(cursor))


def beat(cursor: Cursor, process: Process, dead_after_s: float) -> int | None:
    """Say "alive" and return how many gateways live, or None: this process was declared dead."""
    cursor.execute(
        "SELECT * FROM process_beat(%s, %s, make_interval(secs => %s))",
        (process.process_id, process.epoch, dead_after_s),
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def revive(cursor: Cursor, process: Process) -> Process | None:
    """Return the process under a new epoch, owning nothing; None if its row is gone."""
    cursor.execute("SELECT * FROM process_return(%s)", (process.process_id,))
    row = cursor.fetchone()
    return None if row is None else Process(process.process_id, int(row[0]))


def bury(cursor: Cursor, dead_after_s: float) -> Buried:
    """Declare dead whoever has not beaten for *dead_after_s* and set free what they held."""
    cursor.execute("SELECT * FROM process_bury(make_interval(secs => %s))", (dead_after_s,))
    row = cursor.fetchone()
    return Buried() if row is None else Buried(*row)


def declare_dead(cursor: Cursor, label: str, *, crashed: bool) -> Buried:
    """Declare dead, at once, the process of this label, whose end its parent has seen; nothing if it has left."""
    cursor.execute("SELECT * FROM process_declare_dead(%s, %s)", (label, crashed))
    row = cursor.fetchone()
    return Buried() if row is None else Buried(*row)


def lives(cursor: Cursor, label: str) -> bool:
    """Return whether the process of this label is in the ledger and alive."""
    cursor.execute("SELECT process_lives(%s)", (label,))
    row = cursor.fetchone()
    return row is not None and bool(row[0])


def leave(cursor: Cursor, process: Process) -> None:
    """End in good order: whatever is still held becomes free at once."""
    cursor.execute("SELECT * FROM process_leave(%s, %s)", (process.process_id, process.epoch))


def adopt(cursor: Cursor, process: Process, lanes_max: int) -> list[int]:
    """Take up to *lanes_max* lanes that have work and no owner; return their conversations."""
    cursor.execute("SELECT * FROM ledger_adopt(%s, %s, %s)", (process.process_id, process.epoch, lanes_max))
    return [row[0] for row in cursor.fetchall()]


def owned(cursor: Cursor, process: Process) -> dict[int, int]:
    """Return conversation -> fence of all lanes with work that the ledger holds to be this process's."""
    cursor.execute("SELECT * FROM ledger_owned(%s, %s)", (process.process_id, process.epoch))
    return dict(cursor.fetchall())


def free(cursor: Cursor, process: Process) -> int:
    """Free the lanes with work that the ledger holds to be this process's, which runs none; return how many."""
    cursor.execute("SELECT ledger_free(%s, %s)", (process.process_id, process.epoch))
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])


def _one(cursor: Cursor) -> tuple[int, int]:
    row = cursor.fetchone()
    assert row is not None, "an INSERT ... RETURNING answers with its row"
    return row[0], row[1]
