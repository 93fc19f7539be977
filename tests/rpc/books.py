"""What a client has under way, as its own books tell it: the tests' proof that nothing was left behind."""

from __future__ import annotations

import re

import gevent

from gateway.rpc import RpcClient
from tests.support.waiting import until

__all__ = ["assert_nothing_left", "under_way"]

_COUNTED = re.compile(r"(\d+) (calls,|in flight|waiting of|busy)")


def under_way(client: RpcClient) -> dict[str, int]:
    """Return how many calls, slots, waiters and connections are in use, all endpoints together; only what is not 0."""
    found: dict[str, int] = {}
    for count, what in _COUNTED.findall(repr(client)):
        if int(count):
            found[what] = found.get(what, 0) + int(count)
    return found


def assert_nothing_left(client: RpcClient) -> None:
    """Wait until nothing is under way, or fail: a loser that was cancelled ends in one of the loop's next turns."""
    assert all(what in repr(client) for what in ("calls,", "in flight", "waiting of", "busy")), (
        "the books are told"
    )
    gevent.idle()
    until("all that was taken is given back", lambda: not under_way(client))
