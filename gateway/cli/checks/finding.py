"""What a check is given, and what it says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec
import psycopg2
from psycopg2.extensions import cursor as Cursor

from gateway.embedded.addresses import Addresses
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.store.postgres import DURABLE

__all__ = ["Check", "Finding", "State", "Visit", "fail", "ok", "warn"]

State = Literal["ok", "warn", "fail"]
#: Seconds for a connection; and for a statement, which a person waits for.
CONNECT_TIMEOUT_S = 5
_STATEMENT_TIMEOUT_S = 10


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    state: State
    #: The setting, store, account or assistant.
    what: str
    says: str
    #: What makes it well; empty: it is.
    do: str = ""
    group: str = ""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be looked at."""

    environ: Mapping[str, str]
    home: Path
    #: The `switchboard up` that runs here, or was killed here; None: there is none.
    embedded: Addresses | None
    #: None runs, and no setting says where PostgreSQL is.
    idle: bool
    #: None: they are wrong, and why is a finding of its own.
    settings: Settings | None
    problems: tuple[str, ...]
    #: With both addresses filled in, as other commands have them; None: where they are is not known.
    store: StoreSettings | None

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Cursor]:
        """Give a cursor as a process of ours has it.

        :raises psycopg2.Error: it cannot be reached.
        """
        assert self.store is not None
        connection = psycopg2.connect(
            self.store.database_url.reveal(),
            connect_timeout=CONNECT_TIMEOUT_S,
            options=f"-c statement_timeout={_STATEMENT_TIMEOUT_S}s -c default_transaction_read_only=on {DURABLE}",
            application_name="switchboard doctor",
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()


Check = Callable[[Visit], Iterable[Finding]]


def ok(what: str, says: str) -> Finding:
    """It is well."""
    return Finding(state="ok", what=what, says=says)


def warn(what: str, says: str, do: str) -> Finding:
    """It works, and somebody should look at it."""
    return Finding(state="warn", what=what, says=says, do=do)


def fail(what: str, says: str, do: str) -> Finding:
    """It does not work, or will not for long."""
    return Finding(state="fail", what=what, says=says, do=do)
