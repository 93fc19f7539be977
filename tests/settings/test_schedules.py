"""Schedules in the settings: the platform's own are there, can be changed and switched off; what is wrong is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings.schedules import PLATFORM_SCHEDULES
from tests.settings.folder import BASE, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_the_platforms_own_are_there_without_being_configured(folder: Folder) -> None:
    assert folder.load(BASE).schedules == PLATFORM_SCHEDULES
    assert {"retention", "sweep_dedupe_keys", "sweep_job_results", "sweep_processes"} == set(PLATFORM_SCHEDULES)


def test_one_of_them_is_changed_by_what_its_table_names(folder: Folder) -> None:
    """Law: what the table does not name stays."""
    loaded = folder.load(BASE + '[schedules.retention]\ncron = "0 2 * * SUN"\ntimezone = "Europe/Berlin"')
    changed = loaded.schedules["retention"]
    assert (changed.cron, changed.timezone) == ("0 2 * * SUN", "Europe/Berlin")
    assert (changed.kind, changed.on, changed.skip_unfinished) == ("retention", True, True)
    assert len(loaded.schedules) == len(PLATFORM_SCHEDULES)


def test_one_of_them_is_switched_off_by_the_file_or_the_environment(folder: Folder) -> None:
    assert not folder.load(BASE + "[schedules.retention]\non = false").schedules["retention"].on
    assert not folder.load(BASE, SWITCHBOARD_SCHEDULES__RETENTION__ON="false").schedules["retention"].on


def test_ones_own_stand_beside_them(folder: Folder) -> None:
    toml = '[schedules.report]\ncron = "*/5 * * * *"\nkind = "report.make"\npayload = {to = ["ada"], days = 7}'
    loaded = folder.load(BASE + toml)
    assert loaded.schedules["report"].payload == {"to": ["ada"], "days": 7}
    assert set(loaded.schedules) == {*PLATFORM_SCHEDULES, "report"}


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('cron = "0 25 * * *"\nkind = "a"', "schedules.x.cron: expected a time"),
        ('cron = "0 0 31 2 *"\nkind = "a"', "schedules.x.cron: expected a time"),
        ('cron = "0 0 * * *"\nkind = "A b"', "schedules.x.kind: expected lower-case letters"),
        ('cron = "0 0 * * *"', "schedules.x.kind: required"),
        ('cron = "0 0 * * *"\nkind = "a"\ntimezone = "Europe/Berln"', "Europe/Berlin"),
        ('cron = "0 0 * * *"\nkind = "a"\ntimezone = "Europe"', "schedules.x.timezone: expected a time zone"),
        ('cron = "0 0 * * *"\nkind = "a"\ntimezone = "../etc/passwd"', "schedules.x.timezone: expected a time zone"),
        ('cron = "0 0 * * *"\nkind = "a"\nlane = "a\\u0000b"', "schedules.x.lane: expected at most 256"),
    ],
)
def test_what_is_wrong_with_one_is_said(folder: Folder, toml: str, problem: str) -> None:
    problems = folder.problems(f"{BASE}[schedules.x]\n{toml}")
    assert any(problem in one for one in problems), problems


def test_a_retention_that_forgets_what_may_be_repeated_is_refused(folder: Folder) -> None:
    assert folder.problems(BASE + "[retention]\nturns_days = 30") == []
    [problem] = folder.problems(BASE + "[retention]\nturns_days = 3")
    assert problem.startswith("retention.turns_days: expected 0 or at least 8, got 3")
