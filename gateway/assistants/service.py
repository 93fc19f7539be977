"""What all assistants behind HTTP have in common: where their copies are, how long a call of them may take, which
span it is of its turn's trace, and what a call that failed is called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

import msgspec

from gateway.domain.errors import AssistantFailed, CallFailed, TryLater
from gateway.domain.turn import Turn
from gateway.rpc import Policy, RpcClient, Service
from gateway.rpc.address import parse_base_url
from gateway.rpc.errors import BadAnswer, CallTimeout, ConnectFailed, ConnectionLost, InvalidCall
from gateway.rpc.timeouts import Timeouts
from gateway.settings.assistants import AssistantSettings

__all__ = [
    "BACKSTOP_BYTES",
    "NO_SHARERS",
    "Sharers",
    "call_failure",
    "call_timeouts",
    "new_span_id",
    "service_and_path",
    "sharer",
]

_VISIBLE = re.compile(r"[!-~]+")
#: For whom the accounts ask, by channel and name.
Sharers = Mapping[tuple[str, str], str]
NO_SHARERS: Sharers = MappingProxyType({})

#: Bytes above an answer's own bound at which the RPC client ends it: more than it reads from a socket at
#: once.
BACKSTOP_BYTES = 1024 * 1024


def call_timeouts(rpc: RpcClient, settings: AssistantSettings) -> Timeouts:
    """Return how long each step of a call may take."""
    return msgspec.structs.replace(
        rpc.timeouts,
        connect_s=settings.connect_timeout_s,
        first_byte_s=settings.first_byte_timeout_s,
        idle_s=settings.idle_timeout_s,
        total_s=settings.total_timeout_s,
    )


def sharer(sharers: Sharers, turn: Turn) -> str:
    """Return for whom *turn* asks: its account's tenant, or the account itself.  Nobody's burst is another's wait."""
    return sharers.get((turn.channel, turn.account)) or f"{turn.channel}/{turn.account}"


def new_span_id(random_bits: Callable[[int], int]) -> str:
    """Return the id of a call's span: 16 lower-case hexadecimal digits, by *random_bits* as ``random.getrandbits``."""
    # Not a secret, only unlikely to meet another; all zero would make the whole header invalid.
    return f"{random_bits(64) | 1:016x}"


def call_failure(name: str, error: CallFailed | TryLater) -> AssistantFailed:
    """Return *error* of a call of the assistant *name* with a reason of the README's table."""
    message, reason = f"{name}: {error}", error.reason
    own = f"assistants.{name}"  # the client's messages name its own settings, which ours replace
    match error:
        case ConnectFailed():
            reason = "unreachable"
        case CallTimeout():
            reason = "timeout"
            if not error.by_deadline:
                message = f"{name} was too slow ({own}.{error.reason}_s)"
        case ConnectionLost() | BadAnswer(reason="truncated" | "reset"):
            reason = "connection_lost"
        case BadAnswer(reason="body_too_large"):
            message, reason = f"{name} answered with too much ({own}.reply_bytes_max)", "too_large"
        case BadAnswer():
            reason = "bad_answer"
    return AssistantFailed(message, reason=reason)


def service_and_path(name: str, settings: AssistantSettings, *, quotas: bool = False) -> tuple[Service, str]:
    """Return the service that the settings' addresses lie on, and the path that they share.

    *quotas*: whether a 429 is about us alone, and no word about the service.
    :raises ValueError: an address is none, or cannot be another copy's.
    """
    base_url, path = _address(name, "url", settings.url)
    base_urls = [base_url]
    for index, url in enumerate(settings.replica_urls):
        base_url, other_path = _address(name, f"replica_urls[{index}]", url)
        if other_path != path:
            raise ValueError(
                f"assistants.{name}.replica_urls[{index}]: expected the path of url, {path}, got {other_path}"
            )
        if base_url in base_urls:
            raise ValueError(
                f"assistants.{name}.replica_urls[{index}]: expected another host or port, got {base_url} again"
            )
        base_urls.append(base_url)
    policy = Policy(
        connections_max=settings.connections_max,
        slow_s=settings.slow_s,
        probe_path=settings.health_path,
        hedge=settings.hedge,
        quotas=quotas,
    )
    return Service(f"assistants.{name}", tuple(base_urls), policy), path


def _address(name: str, field: str, url: str) -> tuple[str, str]:
    """Return scheme and host of *url*, and the rest of it."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError(f"assistants.{name}.{field}: {error}") from None
    if parts.scheme not in {"http", "https", "http+unix"} or not parts.netloc:
        got = parts.scheme or "none"
        raise ValueError(
            f"assistants.{name}.{field}: expected http://, https:// or http+unix:// and a host, got scheme {got}"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _VISIBLE.fullmatch(path):
        raise ValueError(f"assistants.{name}.{field}: expected visible ASCII, anything else percent-encoded")
    base_url = f"{parts.scheme}://{parts.netloc}"
    try:
        parse_base_url(base_url)
    except InvalidCall as error:
        raise ValueError(f"assistants.{name}.{field}: {error}") from None
    return base_url, path
