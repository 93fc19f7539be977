"""``switchboard doctor`` on bounds that settings alone decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.checks.bounds import tenants
from gateway.cli.checks.finding import Visit
from gateway.settings.accounts import Account, TelegramAccount
from gateway.settings.lanes import LaneSettings
from gateway.settings.settings import Settings


def visit(lanes: LaneSettings, *of: str) -> Visit:
    """Return a visit of accounts, each of the tenant that is given; empty: of none."""
    accounts: dict[tuple[str, str], Account] = {}
    for number, tenant in enumerate(of):
        named = {"tenant": tenant} if tenant else {}
        one = TelegramAccount(channel="telegram", name=f"bot{number}", assistant="any", **named)
        accounts["telegram", one.name] = one
    settings = Settings(home=Path("unused"), accounts=accounts, assistants={}, lanes=lanes)
    return Visit(
        environ={}, home=Path("unused"), embedded=None, idle=False, settings=settings, problems=(), store=None
    )


@pytest.mark.parametrize(
    ("lanes", "of", "states"),
    [
        (LaneSettings(), ("", ""), []),
        (LaneSettings(), ("acme", "other"), ["ok"]),
        (LaneSettings(), ("acme", "acme", "other"), ["warn"]),
        (LaneSettings(), ("acme", "acme", ""), ["warn"]),
        # All of it is one tenant's: there is nobody to leave room for.
        (LaneSettings(), ("acme", "acme"), ["ok"]),
        (LaneSettings(tenant_turns_in_flight_max=1_500), ("acme", "acme", "other"), ["ok"]),
        (LaneSettings(tenant_turns_in_flight_max=2_000), ("acme", "acme", "other"), ["warn"]),
        (LaneSettings(account_turns_in_flight_max=900), ("acme", "acme", "other"), ["ok"]),
    ],
)
def test_a_tenant_that_may_take_all_turns_is_named(lanes: LaneSettings, of: tuple[str, ...], states: list[str]) -> None:
    """Law: its accounts are bounded one by one, and nothing else by itself leaves room for others."""
    found = list(tenants(visit(lanes, *of)))

    assert [one.state for one in found] == states
    assert all("acme" in one.says and "lanes.tenant_turns_in_flight_max" in one.do for one in found if one.do)
