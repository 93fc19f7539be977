"""A ledger in which something was said, long ago or lately, and a worker that is to forget some of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from gateway.domain.job import JobOutcome
from gateway.settings.retention import RetentionSettings
from gateway.store.ledger.accept import Accepted
from tests.support.actor import Actor
from tests.support.handling import Handling, job
from tests.support.ledger_view import LedgerView
from workers.registry import load_handlers

__all__ = ["History", "history"]

#: Columns that tell a row's age.
_AGES = {
    "turns": ("accepted_at", "settled_at"),
    "conversations": ("created_at", "active_at", "gone_at"),
    "users": ("created_at", "gone_at"),
    "outbox": ("created_at", "finished_at"),
    "dead_letters": ("created_at",),
    "jobs": ("created_at", "finished_at", "expires_at"),
    "processes": ("started_at",),
}


class History:
    """What was said, and what is left of it."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.view = LedgerView(database_url)
        self.gateway = Actor(database_url)
        self.worker = Handling(database_url, redis_url)

    def keep(self, **days: float) -> None:
        """Configure ``[retention]``; what is not named is kept for good."""
        nothing = dict.fromkeys(RetentionSettings.__struct_fields__, 0.0)
        settings = msgspec.structs.replace(
            self.worker.tools.settings, retention=RetentionSettings(**{**nothing, **days})
        )
        self.worker.tools = msgspec.structs.replace(self.worker.tools, settings=settings)

    def tell_time(self, *clock: float) -> None:
        """Have handlers be told these monotonic seconds, one after the other; the last one from then on."""
        times = [*clock]
        self.worker.tools = msgspec.structs.replace(
            self.worker.tools, clock=lambda: times.pop(0) if len(times) > 1 else times[0]
        )

    def run(self, kind: str, payload: Any = None, **how: Any) -> JobOutcome:
        """Return what the handler of *kind* makes of a job."""
        handler = load_handlers()[kind]
        return self.worker.run(handler, job(handler, {} if payload is None else payload, **how))

    def say(self, text: str = "hello", *, answered: bool = True, **place: Any) -> Accepted:
        """Have something said and, if wanted, answered and the answer sent."""
        accepted = self.gateway.say(text, **place)
        if answered:
            self.gateway.answer(accepted.conversation_id, pushes=[f"push for {text}"])
            self.gateway.rows("UPDATE outbox SET state = 'sent', finished_at = clock_timestamp() RETURNING id")
            self.gateway.rows("DELETE FROM jobs WHERE kind = 'reply.send' RETURNING id")
        return accepted

    def age(self, days: float, *tables: str, where: str = "true") -> None:
        """Have what is there have happened so many days earlier."""
        for table in tables or _AGES:
            columns = ", ".join(f"{column} = {column} - make_interval(secs => %s)" for column in _AGES[table])
            times = [days * 86_400] * len(_AGES[table])
            self.view.rows(f"UPDATE {table} SET {columns} WHERE {where}", *times)

    def count(self, table: str, where: str = "true") -> int:
        """How many rows there are."""
        return int(self.view.rows(f"SELECT count(*) FROM {table} WHERE {where}")[0]["count"])


@contextmanager
def history(database_url: str, redis_url: str) -> Iterator[History]:
    """Give one."""
    made = History(database_url, redis_url)
    with made.worker:
        yield made
    made.gateway.connection.close()
