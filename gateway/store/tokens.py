"""Tokens of the API: the table ``api_tokens``, and how a process knows those that call it.

Fail-closed: without PostgreSQL no token of the table is taken.  A process asks for a token that it has seen at most
once a second, so that one that is revoked or expires is refused everywhere within that second, without any hint.

What strangers bring costs little: a token that is not well-formed is refused without a question, and questions about
unknown ones go one at a time, so that however many are asked, one connection of the pool is theirs.  Those that are
known have a line of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
from gevent.lock import BoundedSemaphore
from psycopg2.extensions import cursor as Cursor

from gateway.domain.api_token import is_well_formed, token_hash
from gateway.domain.errors import BadRequest, Conflict, NotFound, Overloaded, StoreUnavailable
from gateway.domain.text import clean
from gateway.store.postgres import Database

__all__ = ["FRESH_S", "NAME_CHARS_MAX", "Holder", "Token", "Tokens", "create", "list_tokens", "revoke"]

#: Seconds for which a process goes by what it has read.
FRESH_S = 1.0
NAME_CHARS_MAX = 80
#: Tokens that may stand at once: all of them are listed.
STANDING_MAX = 1_000
#: Tokens that a process remembers.
_KEPT_MAX = 1_000
#: Seconds that a caller waits until its token's turn has come.
_WAIT_S = 2.0

State = Literal["valid", "expired", "revoked"]


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as an operator sees it; times are Unix seconds."""

    token_id: int
    name: str
    scopes: tuple[str, ...]
    state: State
    created_by: str
    created_at: float
    #: None: never.
    expires_at: float | None
    #: To the minute; None: never.
    last_used_at: float | None
    revoked_at: float | None
    #: Empty: it is not revoked.
    revoked_by: str


class Holder(msgspec.Struct, frozen=True):
    """Who calls with a token that stands."""

    token_id: int
    name: str
    scopes: frozenset[str]


_TOKENS = """
    SELECT id, name, scopes,
           CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= clock_timestamp() THEN 'expired'
                ELSE 'valid' END,
           created_by, extract(epoch FROM created_at)::float8, extract(epoch FROM expires_at)::float8,
           extract(epoch FROM last_used_at)::float8, extract(epoch FROM revoked_at)::float8, coalesce(revoked_by, '')
    FROM api_tokens"""
_LIST = f"{_TOKENS} WHERE revoked_at IS NULL OR %s ORDER BY id"
_SHOW = f"{_TOKENS} WHERE id = %s"
#: The bound is not exact under two at once, and need not be.
_CREATE = """
    INSERT INTO api_tokens (token_hash, name, scopes, created_by, expires_at)
    SELECT %(hash)s, %(name)s, %(scopes)s, %(by)s, clock_timestamp() + make_interval(secs => %(expires_in_s)s)
    WHERE (SELECT count(*) FROM api_tokens WHERE revoked_at IS NULL) < %(most)s
    RETURNING id"""
_REVOKE = """
    UPDATE api_tokens SET revoked_at = clock_timestamp(), revoked_by = %s WHERE id = %s AND revoked_at IS NULL
    RETURNING id"""
#: That it was used is written by the look itself, once a minute.
_USE = """
    WITH found AS (
        SELECT id, name, scopes, last_used_at FROM api_tokens
        WHERE token_hash = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
    ), used AS (
        UPDATE api_tokens AS t SET last_used_at = clock_timestamp() FROM found f
        WHERE t.id = f.id AND (f.last_used_at IS NULL OR f.last_used_at < clock_timestamp() - interval '1 minute')
    )
    SELECT id, name, scopes FROM found"""


def create(
    cursor: Cursor, token: str, *, name: str, scopes: Sequence[str], by: str, expires_in_s: float | None
) -> Token:
    """Keep *token*; its scopes are checked by the caller (:func:`gateway.domain.api_token.check_scopes`).

    :raises BadRequest: *name* says nothing.
    :raises Overloaded: too many stand.
    """
    if not (0 < len(name) <= NAME_CHARS_MAX and name.isprintable() and clean(name) == name and name.strip()):
        raise BadRequest(f"expected a name of 1 to {NAME_CHARS_MAX} printable characters", reason="bad_name")
    cursor.execute(
        _CREATE,
        {
            "hash": token_hash(token),
            "name": name,
            "scopes": sorted(set(scopes)),
            "by": by,
            "expires_in_s": expires_in_s,
            "most": STANDING_MAX,
        },
    )
    row = cursor.fetchone()
    if row is None:
        raise Overloaded(f"{STANDING_MAX} tokens stand already: revoke some", reason="tokens_full", retry_after_s=60)
    return _show(cursor, row[0])


def list_tokens(cursor: Cursor, *, revoked: bool = False) -> list[Token]:
    """Return the tokens that stand or have expired, and if asked for those that were *revoked*, oldest first."""
    cursor.execute(_LIST, (revoked,))
    return [_token(row) for row in cursor.fetchall()]


def revoke(cursor: Cursor, token_id: int, *, by: str) -> Token:
    """Have a token taken no more.

    :raises NotFound: there is no such token.
    :raises Conflict: it was revoked before.
    """
    cursor.execute(_REVOKE, (by, token_id))
    if cursor.fetchone() is not None:
        return _show(cursor, token_id)
    cursor.execute("SELECT revoked_by FROM api_tokens WHERE id = %s", (token_id,))
    before = cursor.fetchone()
    if before is None:
        raise NotFound(f"there is no token {token_id}", reason="no_such_token")
    raise Conflict(f"token {token_id} was revoked already, by {before[0]}", reason="token_revoked")


class Tokens:
    """The tokens that this process has seen."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        #: By hash, with the time of the look; the oldest look first.
        self._known: dict[bytes, tuple[Holder, float]] = {}
        self._lines = {known: BoundedSemaphore() for known in (True, False)}

    def find(self, token: str) -> Holder | None:
        """Return who holds *token*, or None: it does not stand.

        :raises StoreUnavailable: PostgreSQL does not answer, or too many ask at once.
        """
        if not is_well_formed(token):
            return None
        key = token_hash(token)
        if (holder := self._fresh(key)) is not None:
            return holder
        line = self._lines[key in self._known]
        if not line.acquire(timeout=_WAIT_S):
            raise StoreUnavailable("too many tokens are being looked up", reason="tokens_busy", retry_after_s=1)
        try:
            # Whoever was ahead may have asked for this one.
            return self._fresh(key) or self._look(key)
        finally:
            line.release()

    def _fresh(self, key: bytes) -> Holder | None:
        holder, looked_at = self._known.get(key, (None, 0.0))
        return holder if holder is not None and self._clock() - looked_at < FRESH_S else None

    def _look(self, key: bytes) -> Holder | None:
        looked_at = self._clock()
        row = self._database.run(lambda cursor: _use(cursor, key))
        self._known.pop(key, None)
        if row is None:
            return None
        holder = Holder(row[0], row[1], frozenset(row[2]))
        self._known[key] = holder, looked_at
        if len(self._known) > _KEPT_MAX:
            del self._known[next(iter(self._known))]
        return holder


def _show(cursor: Cursor, token_id: int) -> Token:
    cursor.execute(_SHOW, (token_id,))
    row = cursor.fetchone()
    assert row is not None, "tokens are never deleted"
    return _token(row)


def _use(cursor: Cursor, key: bytes) -> tuple[Any, ...] | None:
    cursor.execute(_USE, (key,))
    return cursor.fetchone()


def _token(row: tuple[Any, ...]) -> Token:
    token_id, name, scopes, state, created_by, created_at, expires_at, last_used_at, revoked_at, revoked_by = row
    return Token(
        token_id=token_id,
        name=name,
        scopes=tuple(scopes),
        state=state,
        created_by=created_by,
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
        revoked_at=revoked_at,
        revoked_by=revoked_by,
    )
