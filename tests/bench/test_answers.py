"""Who answers fast and wrongly is found out, by a thousand answers that nobody could have ready."""

from __future__ import annotations

import pytest

from bench.answers import Check, WrongAnswer, check_echo, check_get, check_put, check_rpc
from bench.generator import ECHO_BODY, Expected
from bench.keys import Keys, a_value
from tests.bench.conftest import Serving


def test_right_answers_tell_what_wrk_is_to_expect(serving: Serving, database: str, keys: Keys) -> None:
    """Status and body length of each kind of answer, as this contestant gives them."""
    with serving("honest", database) as server:
        assert check_echo(server.port, keys) == Expected(200, len(ECHO_BODY))
        assert check_rpc(server.port, keys) == Expected(200, len(b'{"ok":true}'))
        assert check_get(server.port, keys) == Expected(200, len(a_value()))
        assert check_put(server.port, keys) == Expected(200, len(b"{}"))


def test_who_ends_connections_with_answers_is_asked_over_others(serving: Serving, keys: Keys) -> None:
    """As gunicorn's sync worker does."""
    with serving("closing") as server:
        assert check_echo(server.port, keys) == Expected(200, len(ECHO_BODY))


@pytest.mark.parametrize(
    ("habit", "check", "found"),
    [
        ("canned", check_echo, "not the echo of"),
        ("hasty", check_rpc, "did not wait"),
        ("cached", check_get, "not what PostgreSQL has"),
        ("forgetful", check_put, "PostgreSQL does not have"),
    ],
)
def test_wrong_answers_are_found(
    serving: Serving, database: str, keys: Keys, habit: str, check: Check, found: str
) -> None:
    """By the check before a run; what is only remembered, by the one behind it: by then it has changed."""
    with serving(habit, database) as server:
        if habit == "cached":
            check(server.port, keys)
        with pytest.raises(WrongAnswer, match=found):
            check(server.port, keys)


def test_a_server_that_is_not_there_is_no_crash() -> None:
    """It is a wrong answer like another."""
    with pytest.raises(WrongAnswer, match="no answer"):
        check_rpc(1, None)  # type: ignore[arg-type]
