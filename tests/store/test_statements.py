"""Statements that a connection prepares once, and lists as texts."""

from __future__ import annotations

import pytest
from psycopg2 import errors

from gateway.store.statements import Prepared, numbers, texts
from tests.support.actor import Actor

#: All that means something in the text of an array, or of a literal.
ODD = ["", "NULL", "null", '"', "\\", '\\"', "{}", "{a,b}", ",", "it's", "a\nb", "\t", " a ", "ä€😀", "%s", "\x1f"]


def back(actor: Actor, items: str, kind: str) -> object:
    return actor.one(f"SELECT %s::{kind}[]", items)


@pytest.mark.parametrize("items", [[], ODD, [*ODD, None], [None], [None, "NULL"], *([item] for item in ODD)])
def test_texts_are_read_as_they_are(here: Actor, items: list[str | None]) -> None:
    assert back(here, texts(items), "text") == items


@pytest.mark.parametrize("items", [["\0"], ["a", "\0b", "c"], ["a\0", None]])
def test_a_nul_is_refused_as_psycopg2_does(items: list[str | None]) -> None:
    """What else would separate two items of it."""
    with pytest.raises(ValueError, match="NUL"):
        texts(items)


def test_numbers_are_read_as_they_are(here: Actor) -> None:
    assert back(here, numbers([]), "bigint") == []
    assert back(here, numbers([0, -1, 2**62, None]), "bigint") == [0, -1, 2**62, None]
    assert back(here, numbers([0.1, 1e300, 1e-9, None]), "float8") == [0.1, 1e300, 1e-9, None]
    assert back(here, numbers([True, False, None]), "boolean") == [True, False, None]


def test_a_statement_is_prepared_once_for_each_connection(here: Actor, there: Actor) -> None:
    statement = Prepared("generate_series", "integer", "integer")
    for actor in (here, there):
        for _ in range(2):
            statement.execute(actor.cursor, (1, 2))
            assert actor.cursor.fetchall() == [(1,), (2,)]
        assert actor.rows("SELECT name FROM pg_prepared_statements") == [("generate_series",)]


def test_one_that_somebody_threw_away_is_prepared_anew(here: Actor) -> None:
    statement = Prepared("generate_series", "integer", "integer")
    statement.execute(here.cursor, (1, 1))
    here.cursor.execute("DEALLOCATE ALL")
    with pytest.raises(errors.InvalidSqlStatementName):
        statement.execute(here.cursor, (1, 1))
    statement.execute(here.cursor, (3, 3))
    assert here.cursor.fetchall() == [(3,)]
