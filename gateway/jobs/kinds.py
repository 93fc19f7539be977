"""Kinds of jobs that are the platform's own, and what each is given: what workers' handlers and those who ask share.

Who asks for jobs from outside asks for none of these kinds: each belongs to something that has a door of its own, with
a scope of its own.  And nobody's jobs bear their unique keys: a reply whose carrier's key is taken is never sent.

Kinds whose payload nobody else needs are named by the settings' schedules and by their handlers alone.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["OWN_KEYS", "OWN_KINDS", "RETENTION", "USER_ERASE", "Nothing", "RetentionFrom", "UserErase"]

RETENTION = "retention"
USER_ERASE = "user.erase"
#: All that a worker knows without any module of its operator's.
OWN_KINDS = frozenset({
    "message.push", "reply.send", RETENTION, "sweep.dedupe_keys", "sweep.job_results", "sweep.processes", USER_ERASE,
    "webhook.send",
})  # fmt: skip
#: How their unique keys begin, and the one kind whose jobs bear such keys.
OWN_KEYS = {
    "outbox:": "reply.send",
    "push:": "message.push",
    "timer:": "message.push",
    "webhook:": "webhook.send",
    f"{USER_ERASE}:": USER_ERASE,
}


class Nothing(msgspec.Struct, frozen=True):
    """The kind says it all."""


class RetentionFrom(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where to go on: a run that has no more time asks for the next one."""

    step: int = 0
    #: The id behind which the step goes on.
    behind: int = 0


class UserErase(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose traces are to be removed.

    Once they are, the job's own payload names nobody any more: all that it has then is the report, and from where on a
    message is looked for that had found the name before it went.
    """

    channel: str = ""
    account: str = ""
    key: str = ""
    report: dict[str, Any] | None = None
    user_id: int | None = None
    #: The last turn that was emptied.
    behind: int = 0
