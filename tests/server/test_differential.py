"""The same raw requests to our worker and to gunicorn's gevent worker: every difference is known, and has its reason.

A difference that is not in ``EXPLAINED`` fails, and so does an explained one that is gone.  What both answer alike
needs no word, whether it is an environ or a refusal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.differential_requests import EXPLAINED, REQUESTS
from tests.server.gunicorn_process import Gunicorn
from tests.server.raw import Answer, Caller, take_answer

APPLICATION = "tests.server.differential_app:app"
#: Behind every request one that says it is the last, so that each of both closes and nobody waits.
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Site(Gunicorn):
    """One of the two."""

    def answers(self) -> bool:
        assert not self.ended(), self.said()
        try:
            return self.call("/").status == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Ports of one process each."""
    folder = tmp_path_factory.mktemp("differential")
    ours = Site(folder, name="ours", application=APPLICATION)
    # The last one of an option holds.
    theirs = Site(folder, "-k", "gevent", "--no-sendfile", name="theirs", application=APPLICATION)
    try:
        for site in (ours, theirs):
            site.wait_ready()
        yield {"ours": ours.port, "theirs": theirs.port}
    finally:
        for site in (ours, theirs):
            site.stop()


def asked(port: int, data: bytes) -> list[Any]:
    """Return what each answer says: an environ, or a status; and last whether the connection ended in the middle."""
    method = data.lstrip().partition(b" ")[0].decode("latin-1")
    with Caller(port) as caller:
        try:
            received = caller.send(data + LAST).rest()
        except ConnectionResetError:
            received = caller.received
    found: list[Any] = []
    while received:
        if not received.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")):
            found.append(received.partition(b" ")[0].decode())
            break
        taken = take_answer(received, method if not found else "GET", ended=True)
        if taken is None:
            found.append("broken off")
            break
        answer, received = taken
        found.append(_said(answer))
    return found


def _said(answer: Answer) -> Any:
    if answer.status != 200 or not answer.body:
        return answer.status
    environ = json.loads(answer.body)
    return "last" if environ["RAW_URI"] == "/last" else environ


@pytest.mark.parametrize("name", REQUESTS)
def test_every_difference_is_explained(both: dict[str, int], name: str) -> None:
    ours, theirs = (asked(both[side], REQUESTS[name]) for side in ("ours", "theirs"))
    if name in EXPLAINED:
        assert ours != theirs, f"gone: {EXPLAINED[name]}"
        explained = EXPLAINED[name]
        assert (_short(ours, theirs), _short(theirs, ours)) == (explained.ours, explained.theirs), (
            explained.reason
        )
    else:
        assert ours == theirs


def _short(mine: list[Any], other: list[Any]) -> list[Any]:
    """Leave of environs what the other side's environ in the same place has not."""
    short: list[Any] = []
    for at, one in enumerate(mine):
        beside = other[at] if at < len(other) else None
        if isinstance(one, dict) and isinstance(beside, dict):
            short.append({key: value for key, value in one.items() if beside.get(key) != value})
        else:
            short.append("environ" if isinstance(one, dict) else one)
    return short


def test_the_table_names_only_requests_of_the_list() -> None:
    assert set(EXPLAINED) <= set(REQUESTS)
    assert len(REQUESTS) >= 80
