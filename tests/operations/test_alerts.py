"""The alerts, run by Prometheus' own tool: each fires in the situation that it is named for, none where all is well.

The tool is not installed for it, because Debian's package of it starts a server.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

FIRE = Path(__file__).with_name("alerts_fire.yml")
ALERTS = Path(__file__).parents[2] / "config" / "alerts.yml"
PAGE = ALERTS.with_name("OPERATIONS.md")


def test_each_alert_has_a_time_to_fire_and_one_to_be_silent() -> None:
    alerts = [rule["alert"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]]
    well, *others = yaml.safe_load(FIRE.read_text())["tests"]
    fired = {one["alertname"] for other in others for one in other.get("alert_rule_test", ()) if one["exp_alerts"]}

    assert [one["alertname"] for one in well["alert_rule_test"] if not one["exp_alerts"]] == alerts
    assert fired == set(alerts)


def test_what_is_asked_beside_alerts_stands_on_the_page() -> None:
    tests = yaml.safe_load(FIRE.read_text())["tests"]
    asked = [one["expr"] for test in tests for one in test.get("promql_expr_test", ())]

    assert asked
    assert all(f"`{expression}`" in PAGE.read_text() for expression in asked)


def test_each_alert_fires_in_the_situation_that_it_is_named_for() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool (apt-get install prometheus)")
    ended = subprocess.run(
        [promtool, "test", "rules", FIRE.name], cwd=FIRE.parent, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
