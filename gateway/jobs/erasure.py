"""Asking for the erasure of a user: what ``switchboard users erase`` and the API do alike.

What is asked for is a job (``workers/handlers/user_erase.py``), whose result is the report.
"""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import BadRequest, NotFound
from gateway.domain.job import Draft, Enqueued
from gateway.domain.text import clean
from gateway.jobs.kinds import USER_ERASE, UserErase
from gateway.store.job_hints import JobHints
from gateway.store.ledger import erase, jobs
from gateway.store.postgres import Database

__all__ = ["REPORT_KEPT_S", "Erasure", "ask", "hint"]

#: Seconds for which the report can be read.
REPORT_KEPT_S = 30 * 86_400.0
#: Characters of a key: what the ledger's index takes, with room to spare.
_CHARS_MAX = 512


def ask(cursor: Cursor, channel: str, account: str, key: str, *, even_if_unknown: bool) -> tuple[Enqueued, Draft]:
    """Ask for the erasure of the user of *key*; one that is asked for twice at once is one job.

    :raises BadRequest: these words can be nobody's.
    :raises NotFound: the ledger knows no such user.  *even_if_unknown*: what names them is looked for all the same.
    """
    for name, word in (("channel", channel), ("account", account), ("key", key)):
        if not (0 < len(word) <= _CHARS_MAX and clean(word) == word):
            # Not the word itself: it may name a person.
            raise BadRequest(
                f"expected {name} as a text of 1 to {_CHARS_MAX} characters without NUL and lone surrogates, "
                f"got {len(word)} characters",
                reason=f"bad_{name}",
            )
    user_id = erase.find(cursor, channel, account, key)
    if user_id is None and not even_if_unknown:
        raise NotFound(f"no user of this key has spoken on {channel[:40]}/{account[:80]}", reason="no_such_user")
    draft = Draft(
        kind=USER_ERASE,
        payload=UserErase(channel, account, key),
        # The id and no word of the person's: it is kept with the report.
        unique=None if user_id is None else f"{USER_ERASE}:{user_id}",
        keep_s=REPORT_KEPT_S,
    )
    return jobs.enqueue(cursor, [draft])[0], draft


def hint(hints: JobHints, asked: Enqueued, draft: Draft) -> None:
    """Tell the job's worker, once it is committed."""
    hints.publish(asked.partition, draft.priority, [asked.job_id])


class Erasure:
    """The same for a process that has a pool."""

    def __init__(self, database: Database, hints: JobHints) -> None:
        self._database = database
        self._hints = hints

    def ask(self, channel: str, account: str, key: str, *, even_if_unknown: bool = False) -> Enqueued:
        """Ask for the erasure of a user; it is committed when this returns.

        Raises as :func:`ask` does, and :exc:`StoreUnavailable` where PostgreSQL does not answer, or has no jobs yet.
        """
        asked, draft = self._database.run(
            lambda cursor: ask(cursor, channel, account, key, even_if_unknown=even_if_unknown)
        )
        hint(self._hints, asked, draft)
        return asked
