"""The next turn of the event loop: for work that goes on and on, and is to let sockets and timers have theirs.

Neither ``run_callback`` nor ``sleep(0)`` does that.  What a callback asks for is called in the same turn, and gevent
looks at the clock only after fifty of them (``_run_callbacks`` of its loop): fifty steps of 5 ms are a quarter of a
second in which nobody is heard, and no beat says that this process lives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent import get_hub

from gateway.waiting import Awaited

__all__ = ["in_next_turn", "let_others"]


def in_next_turn(call: Callable[[], object]) -> None:
    """Have *call* made by the hub, in the event loop's next turn."""
    timer = get_hub().loop.timer(0)
    timer.start(_fire, timer, call)


def let_others() -> None:
    """Wait until the event loop's next turn.  In a greenlet only."""
    others_had_theirs = Awaited[None]()
    in_next_turn(lambda: others_had_theirs.put(None))
    others_had_theirs.get()


def _fire(timer: Any, call: Callable[[], object]) -> None:
    timer.close()
    call()
