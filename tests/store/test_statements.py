"""Statements that a connection prepares once, and lists as texts."""

from __future__ import annotations

import json
from typing import Any

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


@pytest.mark.parametrize("items", [[1], ["a", b"b"], [None, 1.5]])
def test_what_is_no_text_is_bad_data_of_its_row(items: Any) -> None:
    with pytest.raises(ValueError, match="expected a list of texts"):
        texts(items)


def test_numbers_are_read_as_they_are(here: Actor) -> None:
    assert back(here, numbers([]), "bigint") == []
    assert back(here, numbers([0, -1, 2**62, None]), "bigint") == [0, -1, 2**62, None]
    assert back(here, numbers([0.1, 1e300, 1e-9, None]), "float8") == [0.1, 1e300, 1e-9, None]
    assert back(here, numbers([float("inf"), float("-inf")]), "float8") == [float("inf"), float("-inf")]
    assert str(back(here, numbers([float("nan")]), "float8")) == "[nan]"
    assert back(here, numbers([True, False, None]), "boolean") == [True, False, None]


def test_json_is_read_as_it_is(here: Actor) -> None:
    """Law: what JSON escapes is escaped again by the array around it, and neither reads the other's."""
    values = ['"', "\\", "\\u0041", "a\nb", "😀", "x" * 1_000_000, None]
    assert back(here, texts([json.dumps(value) for value in values]), "text") == [json.dumps(value) for value in values]
    read = here.rows("SELECT v ->> 0 FROM unnest(%s::jsonb[]) AS u(v)", texts([json.dumps([v]) for v in values]))
    assert read == [(value,) for value in values]
    with pytest.raises(errors.UntranslatableCharacter):
        back(here, texts(['"\\u0000"']), "jsonb")


def test_a_statement_is_prepared_once_for_each_connection(here: Actor, there: Actor) -> None:
    statement = Prepared("generate_series", "integer", "integer")
    for actor in (here, there):
        for _ in range(2):
            statement.execute(actor.cursor, (1, 2))
            assert actor.cursor.fetchall() == [(1,), (2,)]
        assert actor.rows("SELECT name FROM pg_prepared_statements") == [("generate_series",)]


def test_one_that_somebody_threw_away_is_prepared_anew(here: Actor) -> None:
    """Law: nobody is refused because a connection was wiped behind our backs."""
    statement = Prepared("generate_series", "integer", "integer")
    statement.execute(here.cursor, (1, 1))
    here.cursor.execute("DISCARD ALL")
    statement.execute(here.cursor, (3, 3))
    assert here.cursor.fetchall() == [(3,)]


def test_one_that_was_thrown_away_inside_of_a_transaction_is_prepared_anew_in_the_next(here: Actor) -> None:
    statement = Prepared("generate_series", "integer", "integer")
    statement.execute(here.cursor, (1, 1))
    here.cursor.execute("DEALLOCATE ALL")
    with pytest.raises(errors.InvalidSqlStatementName), here.transaction():
        statement.execute(here.cursor, (2, 2))
    with here.transaction():
        statement.execute(here.cursor, (3, 3))
        assert here.cursor.fetchall() == [(3,)]


def test_one_that_was_prepared_without_our_knowing_it_is_used(here: Actor) -> None:
    """Law: a PREPARE that was cancelled when it was done does not make its connection useless."""
    here.cursor.execute("PREPARE generate_series (integer, integer) AS SELECT * FROM generate_series($1, $2)")
    statement = Prepared("generate_series", "integer", "integer")
    for number in (1, 2):
        statement.execute(here.cursor, (number, number))
        assert here.cursor.fetchall() == [(number,)]


def test_a_function_that_is_not_there_yet_or_is_made_anew_is_called_as_it_is(here: Actor) -> None:
    """Law: functions are code, which a migration replaces while processes run."""
    statement = Prepared("greeting", "text")
    with pytest.raises(errors.UndefinedFunction):
        statement.execute(here.cursor, ("you",))
    for making, word in (
        ("CREATE", "hello"),
        ("CREATE OR REPLACE", "good day"),
        ("DROP FUNCTION greeting; CREATE", "good night"),
    ):
        here.cursor.execute(
            f"{making} FUNCTION greeting(name text) RETURNS TABLE (words text) LANGUAGE plpgsql AS"
            f" $$ BEGIN RETURN QUERY SELECT '{word}, ' || name; END $$"
        )
        statement.execute(here.cursor, ("you",))
        assert here.cursor.fetchall() == [(f"{word}, you",)]
