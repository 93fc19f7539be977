"""The HTTP client that a channel is handed for its sends: the RPC client, one endpoint a platform host.

Not idempotent as far as it knows: the RPC client sends a POST once, or says that it was never sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from gateway.channels.base import PlatformAnswer
from gateway.domain.deadline import Deadline
from gateway.domain.errors import CallFailed
from gateway.domain.resilience.priority import Priority
from gateway.rpc.call import Call, Policy, Service
from gateway.rpc.client import RpcClient
from gateway.rpc.errors import InvalidCall
from gateway.rpc.guard import check_payload_url

__all__ = ["RpcPlatformClient"]


#: A platform's quotas are an account's: one bot that asks too much must not shut out the others.
_CONFIGURED = Policy(quotas=True)
_GUARDED = Policy(quotas=True, guarded=True)


def _service(scheme: str, netloc: str, *, guarded: bool) -> Service:
    # Names are what metrics and operators go by: two of them must not be one.
    name = f"{'payload:' if guarded else ''}{'' if scheme == 'https' else f'{scheme}:'}{netloc}"
    return Service(name, (f"{scheme}://{netloc}",), _GUARDED if guarded else _CONFIGURED)


class RpcPlatformClient:
    """:class:`gateway.channels.base.PlatformClient` over the RPC client."""

    def __init__(self, rpc: RpcClient, *, private_addresses_allowed: bool = False, sharer: str = "") -> None:
        self._rpc = rpc
        self._private_allowed = private_addresses_allowed
        #: For whom it sends: among those who wait at one host, room is shared out by it.
        self._sharer = sharer

    def on_behalf_of(self, sharer: str) -> RpcPlatformClient:
        """Return the client that sends for one tenant, through the same pools and breakers."""
        return RpcPlatformClient(self._rpc, private_addresses_allowed=self._private_allowed, sharer=sharer)

    def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
        allowed_hosts: Sequence[str] | None = None,
    ) -> PlatformAnswer:
        """POST *body* to *url*; each host has a pool and a circuit breaker of its own.

        :raises gateway.domain.errors.CallFailed: no answer; its ``sent`` says whether anything was written.
        :raises gateway.domain.errors.TryLater: refused before anything was written.
        """
        if allowed_hosts is not None:
            url = self._checked(url, allowed_hosts)
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        result = self._rpc.call(
            Call(
                service=_service(parts.scheme, parts.netloc, guarded=allowed_hosts is not None),
                method="POST",
                path=path,
                headers=headers,
                body=body,
                deadline=deadline,
                tenant=self._sharer,
                priority=Priority.HIGH,  # the work is done, and somebody waits for it
                retries_max=0,  # the outbox repeats, with its own times and within its own bounds
            )
        )
        return PlatformAnswer(result.status, result.headers, result.body)

    def _checked(self, url: str, allowed_hosts: Sequence[str]) -> str:
        try:
            return check_payload_url(url, allowed_hosts, private_allowed=self._private_allowed)
        except InvalidCall as error:
            raise CallFailed(str(error), reason="address_not_allowed", sent="never") from None
