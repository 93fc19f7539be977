"""Endpoints are called by the same names where they are configured and where they are called."""

from __future__ import annotations

from gateway.circuits.overview import configured_endpoints
from gateway.rpc import RpcClient, Service
from gateway.settings.assistants import AssistantSettings
from gateway.settings.rpc import RpcSettings
from tests.rpc.peer import OK, Server, answering, to


def test_a_lone_endpoint_bears_its_services_name_and_copies_bear_their_hosts() -> None:
    assistants = {
        "alone": AssistantSettings(url="http://a:1/turn"),
        "many": AssistantSettings(url="http://a:1/turn", replica_urls=("https://b/turn",)),
        "script": AssistantSettings(kind="scripted"),
        "model": AssistantSettings(kind="openai", url="http://c:1/v1"),
    }

    assert set(configured_endpoints(assistants)) == {
        "assistants.alone", "assistants.many@a:1", "assistants.many@b", "assistants.model",
    }  # fmt: skip


def test_the_client_gives_copies_the_same_names() -> None:
    first, second = Server(answering(OK)), Server(answering(OK))
    client = RpcClient(RpcSettings())
    urls = (first.url, second.url)
    client.call(to(first, service=Service("assistants.many", urls)))
    settings = AssistantSettings(url=f"{first.url}/turn", replica_urls=(f"{second.url}/turn",))

    assert set(client.breakers()) == set(configured_endpoints({"many": settings}))
    for server in (first, second):
        server.stop()
