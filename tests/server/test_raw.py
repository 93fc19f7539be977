"""The caller of these tests takes answers apart as RFC 9112, section 6.3 says, and is not deceived by half of one."""

from __future__ import annotations

import pytest

from tests.server.raw import NoAnswer, answers, take_answer

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"


@pytest.mark.parametrize("whole", [LENGTH, CHUNKED])
def test_half_an_answer_is_none(whole: bytes) -> None:
    for at in range(len(whole)):
        assert take_answer(whole[:at], "GET", ended=False) is None
        if at:
            with pytest.raises(NoAnswer):
                answers(whole[:at])


def test_every_way_to_end_a_body() -> None:
    both = answers(LENGTH + CHUNKED)
    assert [(one.body, one.framing) for one in both] == [(b"abc", "length"), (b"abcd", "chunked")]
    assert both[1].chunks == (b"abc", b"d")
    [until_close] = answers(b"HTTP/1.0 200 OK\r\n\r\nabc")
    assert (until_close.body, until_close.framing) == (b"abc", "close")
    [none] = answers(LENGTH.removesuffix(b"abc"), "HEAD")
    assert (none.body, none.framing) == (b"", "absent")


@pytest.mark.parametrize(
    "wrong",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\n\r\n",
        CHUNKED.replace(b"abc\r\n", b"abcd\r\n"),
    ],
)
def test_what_is_no_answer_fails(wrong: bytes) -> None:
    with pytest.raises((AssertionError, ValueError)):
        answers(wrong)
