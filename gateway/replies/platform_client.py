"""The HTTP client that a channel is handed for its sends: the RPC client, one endpoint a platform host.

Not idempotent as far as it knows: the RPC client sends a POST once, or says that it was never sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.channels.base import PlatformAnswer
from gateway.domain.deadline import Deadline
from gateway.rpc.call import Call, Service
from gateway.rpc.client import RpcClient

__all__ = ["RpcPlatformClient"]


class RpcPlatformClient:
    """:class:`gateway.channels.base.PlatformClient` over the RPC client."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc

    def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> PlatformAnswer:
        """POST *body* to *url*; each host has a pool and a circuit breaker of its own.

        :raises gateway.domain.errors.CallFailed: no answer; its ``sent`` says whether anything was written.
        :raises gateway.domain.errors.TryLater: refused before anything was written.
        """
        parts = urlsplit(url)
        host = f"{parts.scheme}://{parts.netloc}"
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        result = self._rpc.call(
            Call(
                service=Service(parts.netloc, (host,)),
                method="POST",
                path=path,
                headers=headers,
                body=body,
                deadline=deadline,
                retries_max=0,  # the outbox repeats, with its own times and within its own bounds
            )
        )
        return PlatformAnswer(result.status, result.headers, result.body)
