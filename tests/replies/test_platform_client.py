"""Where the client that channels are handed may be led by a URL out of a payload."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.domain.deadline import Deadline
from gateway.domain.errors import CallFailed
from gateway.replies.platform_client import RpcPlatformClient
from gateway.rpc import RpcClient
from gateway.rpc.call import Call, CallResult
from gateway.settings.rpc import RpcSettings
from tests.rpc.peer import OK, Link, Server


class Platform:
    """A platform on this machine, and the client that calls it."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.server = Server(self._answer)
        self.host = f"127.0.0.1:{self.server.port}"

    def _answer(self, link: Link) -> None:
        while request := link.request():
            self.requests.append(request)
            link.send(OK)

    def post(self, url: str, allowed_hosts: tuple[str, ...] | None = None, *, private: bool = False) -> bytes:
        rpc = RpcClient(RpcSettings(private_addresses_allowed=private))
        client = RpcPlatformClient(rpc, private_addresses_allowed=private)
        deadline = Deadline.after(5, now=time.monotonic())
        try:
            return client.post(url, headers={}, body=b"{}", deadline=deadline, allowed_hosts=allowed_hosts).body
        finally:
            rpc.stop(deadline)


@pytest.fixture
def platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.server.stop()


def test_an_address_of_our_own_settings_may_lie_anywhere(platform: Platform) -> None:
    assert platform.post(f"{platform.server.url}/api/chat.postMessage?a=1") == b"hi"
    assert platform.requests[0].startswith(b"POST /api/chat.postMessage?a=1 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "url", ["https://evil.example/1", "http://hooks.slack.com/1", "https://hooks.slack.com@evil.example/1", ""]
)
def test_an_address_out_of_a_payload_is_one_of_those_allowed(platform: Platform, url: str) -> None:
    with pytest.raises(CallFailed) as caught:
        platform.post(url, ("hooks.slack.com",))

    assert (caught.value.reason, caught.value.sent) == ("address_not_allowed", "never")


def test_where_none_is_allowed_none_is_called(platform: Platform) -> None:
    with pytest.raises(CallFailed) as caught:
        platform.post("https://hooks.slack.com/1", ())

    assert caught.value.reason == "address_not_allowed"


def test_and_does_not_lead_into_a_private_network(platform: Platform) -> None:
    """Its name is allowed, and what that stands for is not: only who connects can see that."""
    with pytest.raises(CallFailed, match=r"rpc\.private_addresses_allowed") as caught:
        platform.post(f"https://{platform.host}/1", (platform.host,))

    assert (caught.value.reason, caught.value.sent, platform.requests) == ("address_not_allowed", "never", [])


def test_unless_the_settings_say_that_this_is_a_trial(platform: Platform) -> None:
    assert platform.post(f"http://{platform.host}/1", (platform.host,), private=True) == b"hi"


def test_who_waits_at_a_platform_waits_as_the_tenant_for_whom_it_is_sent() -> None:
    """The client of one tenant says its name with each call, and another one's its own."""
    calls: list[Call] = []

    class Rpc:
        def call(self, call: Call) -> CallResult:
            calls.append(call)
            return CallResult(200, (), b"", 0.0, reused=False)

    rpc: Any = Rpc()
    platform = RpcPlatformClient(rpc)
    for client in (platform.on_behalf_of("acme"), platform.on_behalf_of("slack/bar"), platform):
        client.post("https://slack.com/api/x", headers={}, body=b"", deadline=Deadline.after(5, now=0.0))
    assert [call.tenant for call in calls] == ["acme", "slack/bar", ""]
