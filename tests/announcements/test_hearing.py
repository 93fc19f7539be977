"""What a process makes of others' hints, before and whether or not it understands them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from gateway.app import Gateway
from gateway.domain import hint as hints
from gateway.domain.hint import Hint
from gateway.settings.secret import Secret
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.telemetry.metrics import Metrics

_NOWHERE = StoreSettings(
    database_url=Secret("postgresql://127.0.0.1:1/none"), redis_url=Secret("redis://127.0.0.1:1")
)


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """One that was built and never started, as every gateway is until PostgreSQL has answered its first beat."""
    return Gateway(Settings(home=tmp_path, accounts={}, assistants={}, store=_NOWHERE), Metrics())


@pytest.mark.parametrize(
    "hint",
    [
        hints.Handed(process_id=7, conversation_id=1),
        hints.Previewed(1, 1, msgspec.Raw(b'{"kind": "of a newer version"}'), 7, 1),
        hints.Previewed(1, 1, msgspec.Raw(b"[]"), 7, 1),
        hints.Settled(1, 1, 1),
        hints.Accepted(1, 1),
        hints.Orphans(),
        hints.PartitionsFree(),
        hints.CircuitOpened("nobody has called it", 7),
        hints.CircuitClosed("nobody has called it", 7),
        hints.OrdersChanged(),
    ],
    ids=lambda hint: type(hint).__name__,
)
def test_no_hint_can_end_the_greenlet_that_listens(gateway: Gateway, hint: Hint) -> None:
    """A process that has no row in the ledger yet, or is of an older version, goes on listening."""
    gateway._hear(hint)


@pytest.mark.parametrize(
    ("preview", "pieces"),
    [
        ({"kind": "delta", "text": "a piece"}, [{"kind": "delta", "text": "a piece"}]),
        ({"kind": "smell", "text": "of a newer version"}, None),
    ],
)
def test_a_preview_is_shown_if_it_is_understood(
    gateway: Gateway, preview: Mapping[str, str], pieces: list[Mapping[str, str]] | None
) -> None:
    gateway._hear(hints.Previewed(3, 1, msgspec.Raw(msgspec.json.encode(preview)), 7, 1))

    draft = gateway._live.draft(3)
    assert (draft and draft.since(0)[0]) == pieces
