"""Tokens of the API in the ledger: who is known, for how long, and what strangers may cost."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import gevent
import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from gateway.domain.api_token import RANDOM_BYTES, make, token_hash
from gateway.domain.errors import BadRequest, Conflict, NotFound, Overloaded, StoreUnavailable
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store import tokens
from gateway.store.postgres import Database
from gateway.store.tokens import FRESH_S, Tokens
from tests.support.waiting import until


class Clock:
    """Hands that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def cursor(database: str) -> Iterator[Cursor]:
    connection = psycopg2.connect(database)
    connection.autocommit = True
    yield connection.cursor()
    connection.close()


@pytest.fixture
def pool(database: str) -> Iterator[Database]:
    pool = Database(StoreSettings(database_url=Secret(database), redis_url=Secret("redis://127.0.0.1:1")))
    yield pool
    pool.close()


def made(cursor: Cursor, *scopes: str, expires_in_s: float | None = None, name: str = "deploy") -> tuple[str, int]:
    token = make(secrets.token_bytes(RANDOM_BYTES))
    kept = tokens.create(
        cursor, token, name=name, scopes=scopes or ["jobs:read"], by="ada@host", expires_in_s=expires_in_s
    )
    return token, kept.token_id


def test_a_token_is_known_by_its_hash_alone(cursor: Cursor, pool: Database) -> None:
    token, token_id = made(cursor, "jobs:write", "jobs:read", "jobs:read")

    holder = Tokens(pool).find(token)

    assert holder == tokens.Holder(token_id, "deploy", frozenset({"jobs:read", "jobs:write"}))
    cursor.execute("SELECT t::text, token_hash FROM api_tokens t")
    [(row, kept)] = cursor.fetchall()
    assert bytes(kept) == token_hash(token)
    assert token not in row
    assert token[4:20] not in row


def test_who_is_not_known_is_nobody(cursor: Cursor, pool: Database) -> None:
    made(cursor)
    for stranger in ("", "swb_", "x" * 53, make(bytes(RANDOM_BYTES)), "swb_\ud800"):
        assert Tokens(pool).find(stranger) is None


def test_what_cannot_be_a_token_is_no_question_to_postgresql() -> None:
    nowhere = Database(StoreSettings(database_url=Secret("postgresql://127.0.0.1:1/none"), redis_url=Secret("")))
    assert Tokens(nowhere).find(make(bytes(RANDOM_BYTES))[:-1] + "!") is None
    with pytest.raises(StoreUnavailable):
        Tokens(nowhere).find(make(bytes(RANDOM_BYTES)))


def test_a_revoked_token_is_refused_by_everybody_within_a_second(cursor: Cursor, pool: Database) -> None:
    token, token_id = made(cursor)
    clock = Clock()
    processes = [Tokens(pool, clock=clock), Tokens(pool, clock=clock)]
    assert all(each.find(token) for each in processes)

    revoked = tokens.revoke(cursor, token_id, by="ada@host")

    assert (revoked.state, revoked.revoked_by) == ("revoked", "ada@host")
    clock.now += FRESH_S
    assert [each.find(token) for each in processes] == [None, None]
    assert FRESH_S <= 1.0


def test_a_process_asks_once_a_second(cursor: Cursor, pool: Database) -> None:
    """And not of PostgreSQL that is gone: closed at the end of that second."""
    token, token_id = made(cursor)
    clock = Clock()
    known = Tokens(pool, clock=clock)
    assert known.find(token)
    cursor.execute("UPDATE api_tokens SET name = 'other'")
    clock.now += FRESH_S - 0.001
    assert known.find(token) == tokens.Holder(token_id, "deploy", frozenset({"jobs:read"}))
    clock.now += 0.001
    assert known.find(token) == tokens.Holder(token_id, "other", frozenset({"jobs:read"}))


def test_a_token_expires_by_the_ledgers_clock(cursor: Cursor, pool: Database) -> None:
    token, _ = made(cursor, expires_in_s=3_600)
    assert Tokens(pool).find(token)
    cursor.execute("UPDATE api_tokens SET expires_at = clock_timestamp()")
    assert Tokens(pool).find(token) is None
    assert [one.state for one in tokens.list_tokens(cursor)] == ["expired"]


def test_that_it_was_used_is_written_at_most_once_a_minute(cursor: Cursor, pool: Database) -> None:
    token, _ = made(cursor)
    assert tokens.list_tokens(cursor)[0].last_used_at is None
    Tokens(pool).find(token)
    first = tokens.list_tokens(cursor)[0].last_used_at
    assert first
    Tokens(pool).find(token)
    assert tokens.list_tokens(cursor)[0].last_used_at == first
    cursor.execute("UPDATE api_tokens SET last_used_at = last_used_at - interval '61 seconds'")
    Tokens(pool).find(token)
    last = tokens.list_tokens(cursor)[0].last_used_at
    assert last
    assert last >= first
    assert tokens.list_tokens(cursor)[0].created_at <= last


def test_strangers_get_one_connection_and_the_known_another(cursor: Cursor, pool: Database, database: str) -> None:
    """Law: whoever makes up tokens does not keep those that stand from being looked at."""
    token, _ = made(cursor)
    clock = Clock()
    known = Tokens(pool, clock=clock)
    assert known.find(token)
    clock.now += FRESH_S
    blocker = psycopg2.connect(database)
    blocker.cursor().execute("LOCK api_tokens IN ACCESS EXCLUSIVE MODE")
    strangers = [gevent.spawn(known.find, make(secrets.token_bytes(RANDOM_BYTES))) for _ in range(8)]
    friend = gevent.spawn(known.find, token)

    def asking() -> int:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE relation = 'api_tokens'::regclass AND NOT granted")
        return int(cursor.fetchone()[0])

    until("one stranger and the friend ask", lambda: asking() == 2)
    gevent.idle()
    assert asking() == 2
    blocker.rollback()
    blocker.close()
    assert friend.get(timeout=10) is not None
    assert [each.get(timeout=10) for each in strangers] == [None] * 8


def test_what_is_remembered_is_bounded(cursor: Cursor, pool: Database) -> None:
    known = Tokens(pool)
    for _ in range(5):
        known.find(make(secrets.token_bytes(RANDOM_BYTES)))
    assert known._known == {}, "nothing of strangers is kept"


def test_revoking_twice_or_nothing_is_told(cursor: Cursor) -> None:
    _, token_id = made(cursor)
    tokens.revoke(cursor, token_id, by="ada@host")
    with pytest.raises(Conflict, match="revoked already, by ada@host"):
        tokens.revoke(cursor, token_id, by="bob@host")
    with pytest.raises(NotFound):
        tokens.revoke(cursor, 77, by="ada@host")
    assert tokens.list_tokens(cursor) == []
    assert [one.revoked_by for one in tokens.list_tokens(cursor, revoked=True)] == ["ada@host"]


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 81, "nul\0", "\ud800"])
def test_a_name_is_for_people_to_read(cursor: Cursor, name: str) -> None:
    with pytest.raises(BadRequest):
        made(cursor, name=name)


def test_there_are_not_more_than_can_be_listed(cursor: Cursor) -> None:
    cursor.execute(
        "INSERT INTO api_tokens (token_hash, name, scopes, created_by)"
        " SELECT sha256(n::text::bytea), 'x', '{admin}', 'x' FROM generate_series(1, %s) n",
        (tokens.STANDING_MAX,),
    )
    with pytest.raises(Overloaded, match="revoke some"):
        made(cursor)
    tokens.revoke(cursor, 1, by="x")
    made(cursor)
