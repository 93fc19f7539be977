"""How a token of the API looks, and what it may do."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.api_token import (
    RANDOM_BYTES,
    SCOPES,
    allows,
    check_scopes,
    is_well_formed,
    make,
    token_hash,
)
from gateway.domain.errors import BadRequest

BASE62 = string.digits + string.ascii_letters


@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_every_number_is_a_token_of_its_own_that_fits_a_header(random: bytes) -> None:
    token = make(random)
    assert len(token) == 53
    assert token.startswith("swb_")
    assert set(token[4:]) <= set(BASE62)
    assert is_well_formed(token)
    value = 0
    for char in token[4:47]:
        value = value * 62 + (string.digits + string.ascii_uppercase + string.ascii_lowercase).index(char)
    assert value.to_bytes(RANDOM_BYTES) == random, "nothing of the number is lost"


@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES), st.integers(4, 52), st.sampled_from(BASE62))
def test_one_wrong_character_is_seen_without_a_store(random: bytes, place: int, char: str) -> None:
    token = make(random)
    wrong = token[:place] + char + token[place + 1 :]
    assert is_well_formed(wrong) == (wrong == token)


@given(st.text())
def test_what_is_no_token_is_none(text: str) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed("swb_" + text)


@pytest.mark.parametrize("length", [0, RANDOM_BYTES - 1, RANDOM_BYTES + 1])
def test_a_number_that_could_be_guessed_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="expected 32 bytes"):
        make(bytes(length))


def test_what_is_kept_does_not_hold_the_token() -> None:
    token = make(bytes(range(RANDOM_BYTES)))
    assert len(token_hash(token)) == 32
    assert token_hash(token) != token_hash(make(bytes(RANDOM_BYTES)))


def test_a_scope_allows_itself_and_admin_allows_all() -> None:
    """Law: write is not read; no scope but admin contains another."""
    for held in SCOPES:
        for wanted in SCOPES:
            assert allows([held], wanted) == (held in (wanted, "admin"))
    assert not allows([], "jobs:read")


@pytest.mark.parametrize("scopes", [[], ["jobs"], ["jobs:read", "jobs:*"], ["ADMIN"]])
def test_scopes_that_do_not_exist_are_told(scopes: list[str]) -> None:
    with pytest.raises(BadRequest, match="expected scopes of admin, breakers:read"):
        check_scopes(scopes)
