"""bench.channels: every channel is measured, and what is measured is a message that is let in and answered."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.channels import passage
from gateway.channels.registry import CHANNELS
from gateway.domain.errors import Unauthentic
from gateway.embedded.secret_files import ensure_secrets
from gateway.platforms.registry import platforms
from gateway.settings.load import load_account


def test_every_channel_is_measured(tmp_path: Path) -> None:
    """The whole program; how fast it was is not for a test to judge."""
    written = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench.channels", "--quick", "--json", str(written)],
        check=True,
        capture_output=True,
    )
    report = json.loads(written.read_text())

    assert set(report["samples"]) == set(CHANNELS)
    assert {goal["unit"] for goal in report["goals"]} == {"µs"}
    assert all(min(costs) > 0 for costs in report["samples"].values())
    assert b"verify, parse and render" in done.stdout


def test_a_message_that_is_not_let_in_is_not_measured(tmp_path: Path) -> None:
    """With other secrets on the two sides nothing is timed: a refusal would be fast."""
    homes = [tmp_path / name for name in ("theirs", "ours")]
    for home in homes:
        (home / "secrets").mkdir(parents=True)
        ensure_secrets(home / "secrets")
    theirs, ours = (
        load_account("slack", "bartender", environ={"SWITCHBOARD_HOME": str(home)})[0] for home in homes
    )
    platform = platforms(homes[0])["slack"]

    class Stranger:
        name = "slack"

        def deliver(self, _account: object, *rest: object) -> object:
            return platform.deliver(theirs, *rest)  # type: ignore[arg-type]

        def signed(self, _account: object, *rest: object, **more: object) -> object:
            return platform.signed(theirs, *rest, **more)  # type: ignore[arg-type]

    passage(CHANNELS["slack"], platform, theirs, 1_800_000_000.0)
    with pytest.raises(Unauthentic):
        passage(CHANNELS["slack"], Stranger(), ours, 1_800_000_000.0)  # type: ignore[arg-type]
