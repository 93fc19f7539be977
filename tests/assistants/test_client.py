"""Assistants by name: every kind that settings may name can be built, and nothing else."""

from __future__ import annotations

import contextlib
from typing import Any, get_args

import pytest

from gateway.assistants.client import KINDS, Assistants
from gateway.assistants.preview import ignore_preview
from gateway.domain.errors import AssistantFailed, NotFound
from gateway.domain.reply import Reply, Text
from gateway.rpc import RpcClient
from gateway.rpc.call import Call
from gateway.settings.assistants import AssistantKind, AssistantSettings, ScriptRule
from gateway.settings.problems import SettingsError
from gateway.settings.rpc import RpcSettings
from gateway.settings.secret import Secret
from tests.assistants.service import answer, serving
from tests.assistants.turns import CAPABILITIES, LANE_KEY, NOTHING_SAID, TURN, deadline


def test_each_kind_of_the_settings_has_its_factory() -> None:
    assert set(KINDS) == set(get_args(AssistantKind))


def test_an_assistant_is_found_by_its_name_and_does_what_its_settings_say(rpc: RpcClient) -> None:
    with serving(answer(b'{"parts": [{"type": "text", "text": "from afar"}]}')) as service:
        assistants = Assistants(
            {
                "far": AssistantSettings(url=service.url),
                "near": AssistantSettings(
                    kind="scripted", script=(ScriptRule(pattern="gin", text="from here"),)
                ),
            },
            rpc,
            NOTHING_SAID,
        )

        said = [
            assistants.get(name).ask(TURN, LANE_KEY, CAPABILITIES, deadline(), ignore_preview)
            for name in ("far", "near")
        ]

    assert said == [Reply((Text("from afar"),)), Reply((Text("from here"),))]


class Recording(RpcClient):
    """Keeps the calls that it makes."""

    def __init__(self) -> None:
        super().__init__(RpcSettings(private_addresses_allowed=True))
        self.calls: list[Call] = []

    def stream(self, call: Call) -> Any:
        self.calls.append(call)
        return super().stream(call)


@pytest.mark.parametrize("kind", ["http", "openai"])
def test_an_account_asks_for_its_tenant_and_one_without_for_itself(kind: Any) -> None:
    """Law: what waits for an assistant is shared out between tenants, however many accounts one has."""
    account, rpc = (TURN.channel, TURN.account), Recording()
    with serving(answer(b"{}")) as service:
        far = AssistantSettings(kind=kind, url=service.url)
        for sharers in ({account: "acme"}, {}):
            one = Assistants({"far": far}, rpc, NOTHING_SAID, sharers=sharers).get("far")
            with contextlib.suppress(AssistantFailed):
                one.ask(TURN, LANE_KEY, CAPABILITIES, deadline(), ignore_preview)
    rpc.stop(deadline())
    assert list(dict.fromkeys(call.tenant for call in rpc.calls)) == ["acme", "/".join(account)]


def test_a_name_without_settings_is_refused(rpc: RpcClient) -> None:
    with pytest.raises(NotFound, match=r"no assistant 'nobody'.*\[assistants\]"):
        Assistants({}, rpc, NOTHING_SAID).get("nobody")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (AssistantSettings(), r"assistants\.far\.url"),
        (
            AssistantSettings(kind="scripted", script=(ScriptRule(pattern="(gin"),)),
            r"assistants\.far\.script: '\(gin' is no pattern: missing \)",
        ),
    ],
)
def test_settings_that_cannot_work_fail_the_start_and_not_a_turn(
    rpc: RpcClient, settings: AssistantSettings, problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        Assistants({"far": settings}, rpc, NOTHING_SAID)


def test_all_that_cannot_work_is_told_at_once(rpc: RpcClient) -> None:
    """One start shows every problem, and no secret."""
    settings = {
        "first": AssistantSettings(url="http://127.0.0.1", signing_secrets=(Secret("hunter2"),)),
        "second": AssistantSettings(url="ftp://127.0.0.1"),
    }
    with pytest.raises(SettingsError) as caught:
        Assistants(settings, rpc, NOTHING_SAID)

    first, second = caught.value.problems
    assert first.startswith("assistants.first.signing_secrets[0]: expected whsec_")
    assert second.startswith("assistants.second.url: expected http")
    assert "hunter2" not in str(caught.value)
