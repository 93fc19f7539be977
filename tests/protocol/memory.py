"""What a process remembers of the replies that it sends itself."""

from __future__ import annotations

from tests.protocol.model import Direct
from tests.protocol.rules import Rules

__all__ = ["heard", "tidied"]


def heard(direct: Direct, rules: Rules) -> Direct | None:
    """Return it with the settle's answer; of one that was given before nobody knows who heard it, so it goes back."""
    row = (direct.claimed,) if direct.claimed >= 0 else ()
    return tidied(Direct((*direct.rows, *row), direct.wired, direct.broken or direct.unsure), rules)


def tidied(direct: Direct, rules: Rules) -> Direct | None:
    """Return it without what is over: nothing is left to send, and nothing can come that was on its way before."""
    if direct.rows:
        return direct
    if not direct.reserved:
        return None
    return direct if rules.room_outlives_rows else direct._replace(broken=False)
