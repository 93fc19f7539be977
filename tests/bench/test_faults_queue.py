"""The kill campaign in a short form: everybody dies once, and nothing that was promised of jobs is broken."""

from __future__ import annotations

import os
import random

import pytest

from bench.faults.mishaps import VICTIMS
from bench.faults.queue import Campaign, run
from bench.report import Report


@pytest.mark.slow
def test_nothing_promised_of_jobs_is_broken() -> None:
    """FAULTS_SEED repeats a run's chance."""
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(2**32))
    print(f"FAULTS_SEED={seed}")
    campaign = Campaign(jobs=20_000, lanes=300, seconds=75, every_s=6.0, victims=tuple(VICTIMS), seed=seed)
    report = Report("bench.faults queue", quick=True)
    verdict = run(campaign, report)
    report.print()
    assert verdict.jobs == campaign.jobs
    assert [goal.name for goal in report.goals if not goal.ok] == []
    assert verdict.repeats, "kills that met nobody at work prove nothing"
