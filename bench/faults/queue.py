"""The kill campaign of jobs: they are asked for at a steady rate, run by two workers, and every few seconds one dies.

When all have been asked for and the ledger holds none, the checker looks at each of them.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Sequence

import click
import msgspec

from bench.faults.checker import Asked, Verdict, judge
from bench.faults.mishaps import Mishaps
from bench.queue.contestants import CONTESTANTS, OURS
from bench.queue.drain import Failed, kill
from bench.queue.records import read_steps
from bench.queue.stage import Stage, stage
from bench.report import Report
from bench.stack import ROOT

__all__ = ["Campaign", "run"]

WORKERS = 2
#: Seconds after the last question, or the last kill, in which all must have run.
RECOVERY_MAX_S = 60.0
#: Sentences that are printed of each kind of violation.
STORIES_MAX = 5


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """How long, how much, and who dies."""

    jobs: int = 200_000
    lanes: int = 1_000
    seconds: int = 300
    every_s: float = 10.0
    victims: Sequence[str] = ("worker", "redis")
    seed: int = 0


def run(campaign: Campaign, report: Report) -> Verdict:
    """Run it; put what was found into *report*."""
    with stage() as here:
        env = {**here.env, "SWITCHBOARD_WORKER__PROCESSES": str(WORKERS)}
        log = (here.folder / "worker.log").open("ab")

        def start_worker() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                CONTESTANTS[OURS].worker,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        mishaps = Mishaps(here.stores, start_worker, campaign.seed)
        asker = _ask(campaign, here)
        try:
            _let_happen(campaign, mishaps, asker)
            asked = _asked(asker)
            last_at = time.monotonic()
            quiet_s = _wait_quiet(here) - last_at
        finally:
            asker.kill()
            mishaps.parent.terminate()
            kill(mishaps.parent)
            log.close()
        verdict = judge(asked, read_steps(here.effects.path), mishaps.history)
        buried = here.ledger.rows("SELECT count(*) FROM dead_letters WHERE job_id IS NOT NULL")[0][0]
    _tell(campaign, report, mishaps, verdict, quiet_s=quiet_s, buried=buried, unclear=len(asked.unclear))
    return verdict


def _ask(campaign: Campaign, here: Stage) -> subprocess.Popen[bytes]:
    numbers = campaign.jobs, campaign.lanes, campaign.jobs // campaign.seconds, campaign.seed
    return subprocess.Popen(
        [sys.executable, "-m", "bench.faults.asker", *map(str, numbers)],
        cwd=ROOT,
        env=here.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )


def _let_happen(campaign: Campaign, mishaps: Mishaps, asker: subprocess.Popen[bytes]) -> None:
    """Have one thing happen after the other for as long as is asked, each kind at least once if there is time."""
    rng = random.Random(campaign.seed)
    until = time.monotonic() + campaign.seconds
    deck: list[str] = []
    with click.progressbar(length=int(campaign.seconds / campaign.every_s), label="kills  ") as progress:
        while True:
            next_at = time.monotonic() + campaign.every_s
            if next_at > until or asker.poll() not in {None, 0}:
                return
            if not deck:
                deck = [*campaign.victims]
                rng.shuffle(deck)
            time.sleep(campaign.every_s)
            mishaps.happen(deck.pop())
            progress.update(1)


def _asked(asker: subprocess.Popen[bytes]) -> Asked:
    said, _ = asker.communicate(timeout=RECOVERY_MAX_S)
    if asker.returncode:
        raise Failed(f"the asking process ended with status {asker.returncode}")
    return msgspec.json.decode(said, type=Asked)


def _wait_quiet(here: Stage) -> float:
    """Return when nothing was left to run, or the bound: the checker tells what is lost."""
    try:
        return here.ledger.wait_settled(max_s=RECOVERY_MAX_S)
    except TimeoutError:
        return time.monotonic()


def _tell(
    campaign: Campaign,
    report: Report,
    mishaps: Mishaps,
    verdict: Verdict,
    *,
    quiet_s: float,
    buried: int,
    unclear: int,
) -> None:
    for what in ("lost", "disorder", "needless", "hidden"):
        for sentence in getattr(verdict, what)[:STORIES_MAX]:
            click.echo(f"  {what}: {sentence}")
    report.goal("lost", 0, len(verdict.lost), "jobs", "most")
    report.goal("out of order in their lane", 0, len(verdict.disorder), "jobs", "most")
    report.goal("repeated, and not in flight at a kill", 0, len(verdict.needless), "jobs", "most")
    report.goal("repeated, and not visible as such", 0, len(verdict.hidden), "jobs", "most")
    report.goal("dead letters", 0, buried, "jobs", "most")
    kinds = [mishap.kind for mishap in mishaps.history]
    report.note(
        f"{verdict.jobs:,} jobs in {campaign.lanes:,} lanes, {len(kinds)} mishaps ("
        + ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        + f"), seed {campaign.seed}"
    )
    report.note(
        f"{verdict.runs:,} runs, {verdict.repeats:,} of them repeats; {unclear:,} asked for again, because nobody "
        f"knew; all settled {quiet_s:.1f} s after the last was asked for"
    )
    report.add("verdict", verdict)
    report.add("mishaps", mishaps.history)
