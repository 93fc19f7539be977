"""How a user's traces are known: what names them is found in any form, and nobody else's."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.traces import Traces, names

ADA = Traces("T1:U1", 7, {12, 13}, {3})


@pytest.mark.parametrize(
    "words",
    [
        '{"conversation_id":3}',
        '{"data": {"turn_id" : 12, "n": 1}}',
        '[{"user_id":7}]',
        "conversation:3\n{}",
        '{"to": "T1:U1"}',
        "hello T1:U1!",
    ],
)
def test_a_job_that_names_them_is_theirs(words: str) -> None:
    assert ADA.in_job(words)


@pytest.mark.parametrize(
    "words",
    [
        '{"conversation_id":33}',
        '{"conversation_id":12}',
        '{"turn_id":3}',
        '{"user_id":12}',
        '{"outbox_id":3}',
        "conversation:30",
        '{"to": "T1:U12"}',
        '{"to": "ST1:U1"}',
        "",
    ],
)
def test_a_job_that_names_others_is_not(words: str) -> None:
    assert not ADA.in_job(words)


def test_who_is_no_user_any_more_has_no_number() -> None:
    assert not Traces("T1:U1").in_job('{"user_id":0,"turn_id":0}')


@pytest.mark.parametrize("form", [json.dumps, quote, quote_plus, str])
def test_a_delivery_is_known_in_any_form(form: object) -> None:
    body = json.dumps({"team": {"id": "T1"}, "user": {"id": "U1"}})
    assert ADA.in_delivery(form(body).encode())  # type: ignore[operator]
    other = json.dumps({"team": {"id": "T1"}, "user": {"id": "U12"}})
    assert not ADA.in_delivery(form(other).encode())  # type: ignore[operator]


def test_every_part_of_a_key_must_be_there() -> None:
    assert not names("T1:U1", b'{"user": "U1", "team": "T2"}')
    assert not names(":", b": :")
    assert not names("", b"anything")


@given(st.binary(max_size=200), st.text(max_size=20))
def test_any_bytes_can_be_asked_about(body: bytes, key: str) -> None:
    Traces(key).in_delivery(body)
    assert names(key, b" %b " % key.encode()) == any(key.split(":"))


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=20).filter(str.strip))
def test_a_key_is_found_between_anything_that_is_no_letter(key: str) -> None:
    """Law: no key is written such that it cannot be found."""
    found = names(key, b'"' + key.encode() + b'"')
    assert found == any(key.split(":"))
    assert Traces(key).in_job(f'"{key}"')
