"""Any bytes are an answer or a documented failure, within all bounds, and how they are cut changes nothing."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rpc.answers import (
    BODY_BYTES_MAX,
    HEADER_BYTES_MAX,
    answers,
    assert_the_same,
    cut,
    cuts,
    outcome,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = HEAD + b"Content-Encoding: gzip\r\n\r\n"


@given(answers, cuts, st.booleans())
def test_how_an_answer_is_cut_changes_nothing(data: bytes, sizes: list[int], bodiless: bool) -> None:
    whole = outcome([data], bodiless=bodiless)

    assert_the_same(whole, outcome(cut(data, sizes), bodiless=bodiless))
    assert_the_same(whole, outcome(cut(data, [1] * len(data)), bodiless=bodiless))


def sized(size: int) -> bytes:
    """Return an answer of *size* bytes whose body is ``hi``."""
    rest = b"\r\nContent-Length: 2\r\n\r\nhi"
    return HEAD + b"X: " + (size - len(HEAD) - 3 - len(rest)) * b"a" + rest


BORDERS = {
    "a head": [sized(2 + HEADER_BYTES_MAX + more) for more in range(-5, 6)],
    "a trailer": [CHUNKED + b"2\r\nhi\r\n0\r\nX: " + size * b"a" + b"\r\n\r\n" for size in range(50, 150)],
    "an extension": [CHUNKED + b"2;" + size * b"a" + b"\r\nhi\r\n0\r\n\r\n" for size in range(80, 120)],
    "small chunks": [CHUNKED + size * b"1;abcdefghijklm\r\na\r\n" + b"0\r\n\r\n" for size in range(1, 60)],
    "a body": [HEAD + b"\r\n" + (BODY_BYTES_MAX + more) * b"a" for more in range(-2, 3)],
    "an announced body": [
        HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + more) + 300 * b"a" for more in range(-2, 3)
    ],
    "a decoded body": [GZIP + gzip.compress((BODY_BYTES_MAX + more) * b"a") for more in range(-2, 3)],
    "empty members": [GZIP + count * gzip.compress(b"") for count in range(12)],
    "small members": [GZIP + 3 * gzip.compress(b"") + count * gzip.compress(b"a") for count in range(60)],
}  # fmt: skip


@pytest.mark.parametrize("name", BORDERS)
def test_a_bound_is_met_at_the_same_byte_however_it_is_cut(name: str) -> None:
    met = set()
    for data in BORDERS[name]:
        whole = outcome([data], bodiless=False)
        met.add(whole.error)
        for size in (1, 7, 64):
            assert_the_same(whole, outcome(cut(data, [size] * (len(data) // size)), bodiless=False))

    assert len(met) > 1, "these stand on one side of the bound"
