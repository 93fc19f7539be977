"""``/api/v1/users``: what people may ask of whoever keeps something about them.

A key is no part of an address, because addresses are logged.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.jobs.erasure import Erasure
from gateway.web.api.operation import Located, operation

__all__ = ["Users"]

_Word = Annotated[str, Meta(min_length=1, max_length=512)]


class NewErasure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is to be removed, by the platform's own name for them."""

    channel: _Word
    account: _Word
    key: _Word
    #: Look for what names them even if they never spoke.
    even_if_unknown: bool = False


class AskedErasure(msgspec.Struct, frozen=True):
    """The job that removes them; its result is the report."""

    job_id: int
    #: False: it was asked for already, and is not done yet.
    fresh: bool


class Users:
    """The operations."""

    def __init__(self, erasure: Erasure) -> None:
        self._erasure = erasure

    @operation("POST", "/users/erase", scope="users:write", status=202, problems=(404,))
    def erase(self, body: NewErasure) -> Located[AskedErasure]:
        """Have all removed that a user has left behind: for good.

        Location leads to the job that does it, whose result is the report.
        """
        asked = self._erasure.ask(body.channel, body.account, body.key, even_if_unknown=body.even_if_unknown)
        return Located(AskedErasure(asked.job_id, asked.fresh), f"/jobs/{asked.job_id}")
