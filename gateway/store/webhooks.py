"""Webhooks that are told nothing: the table ``webhooks_disabled``.  Where they lead is in the settings."""

from __future__ import annotations

import msgspec
from psycopg2.extensions import cursor as Cursor

__all__ = ["Disabled", "disable", "disabled", "enable", "list_disabled"]


class Disabled(msgspec.Struct, frozen=True):
    """A webhook that is told nothing."""

    webhook: str
    #: The person, or the job that was told that the receiver is gone.
    by: str
    reason: str
    #: Unix seconds.
    at: float


def list_disabled(cursor: Cursor) -> list[Disabled]:
    """Return the webhooks that are told nothing, by name."""
    cursor.execute(
        "SELECT webhook, by, reason, extract(epoch FROM at)::float8 FROM webhooks_disabled ORDER BY webhook"
    )
    return [Disabled(*row) for row in cursor.fetchall()]


def disabled(cursor: Cursor, webhook: str) -> bool:
    """Return whether *webhook* is told nothing."""
    cursor.execute("SELECT 1 FROM webhooks_disabled WHERE webhook = %s", (webhook,))
    return cursor.fetchone() is not None


def disable(cursor: Cursor, webhook: str, *, by: str, reason: str) -> bool:
    """Have *webhook* told nothing from now on; False if it was so already, and the first reason stays."""
    cursor.execute(
        "INSERT INTO webhooks_disabled (webhook, by, reason) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (webhook, by, reason),
    )
    return cursor.rowcount > 0


def enable(cursor: Cursor, webhook: str) -> bool:
    """Have *webhook* told of what happens again; False if it was."""
    cursor.execute("DELETE FROM webhooks_disabled WHERE webhook = %s", (webhook,))
    return cursor.rowcount > 0
