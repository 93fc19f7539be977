"""A minute and a half in which everything that can die dies, under load, and nothing that was promised is broken."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import gevent
import psutil
import pytest

from gateway.store.migrate import migrate
from tests.soak import ledger_guard
from tests.soak.evidence import Evidence
from tests.soak.laws import LAWS
from tests.soak.mishaps import Campaign
from tests.soak.peers import AssistantMemory, SlackMemory
from tests.soak.platforms import Load
from tests.support.stack import Stack, running_stack
from tests.support.stores import Stores, own_stores

CONVERSATIONS = 200
MESSAGES_PER_S = 150
CAMPAIGN_S = 75.0
#: Seconds from the end of the last mishap and the last message to the end of all work.
RECOVERY_MAX_S = 30.0
#: Stories that are printed of a law's violations.
STORIES_MAX = 3
#: A dead process is found within three seconds, and a busy machine kills nobody.
SETTINGS = {
    "lanes.beat_s": 0.4,
    "lanes.dead_after_s": 2.5,
    "lanes.lease_margin_s": 0.5,
    "lanes.poll_s": 0.25,
    "jobs.poll_s": 0.25,
}


@pytest.fixture
def seed() -> int:
    """What all chance of a run comes from; SOAK_SEED repeats one."""
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(2**32))
    print(f"SOAK_SEED={seed}")
    return seed


@pytest.fixture
def stores() -> Iterator[Stores]:
    """Durable ones, to be killed."""
    with own_stores() as stores:
        migrate(stores.postgres.url("postgres"))
        yield stores


@pytest.mark.slow
def test_nothing_promised_is_broken(stores: Stores, seed: int) -> None:
    """Accepted messages end, in order, asked one at a time, settled once, posted at most once unless the row says
    that nobody knows; and all of this soon after the last mishap."""
    rng = random.Random(seed)
    url = stores.postgres.url("postgres")
    with running_stack(url, stores.redis.url, gateways=2, workers=2, settings=SETTINGS) as stack:
        ledger_guard.watch(stack.ledger)
        assistant, slack = AssistantMemory(random.Random(seed + 1)), SlackMemory(random.Random(seed + 2))
        stack.assistant.usually(assistant)
        stack.slack.usually(slack)
        ports = lambda: [each.port for each in stack.gateways if not each.ended()]  # noqa: E731
        load = Load(stack.slack, ports, random.Random(seed + 3), lanes=CONVERSATIONS)
        campaign = Campaign(stack, stores, rng)
        load.start(MESSAGES_PER_S)
        try:
            campaign.run(time.monotonic() + CAMPAIGN_S)
            load.say_no_more()
            quiet_s = _wait_quiet(stack, load)
        except BaseException:
            print(stack.logs())
            raise
        finally:
            load.stop()
            print(*(f"{at:.3f} {what} {victim}" for at, what, victim in campaign.history), sep="\n")
        said = [each for sender in load.senders for each in sender.said]
        evidence = Evidence(stack, said, assistant.asked, slack.posted, campaign.resumed)
        print(evidence.summary())
        print(
            f"quiet {quiet_s:.1f} s after the end; {load.held_back} messages held back; {slack.limited} 429s"
        )
        assert not _violations(evidence)
        assert quiet_s < RECOVERY_MAX_S, "platforms still repeat what nobody accepts"
        assert [line for sender in load.senders for line in sender.wrong] == []
        assert ledger_guard.broken_laws(stack.ledger) == []
        _assert_nothing_is_held(stack)


def _wait_quiet(stack: Stack, load: Load) -> float:
    """Return the seconds until everything said was accepted and everything accepted had its end, or the bound: the
    laws tell what has none."""
    started = time.monotonic()
    open_rows = (
        "SELECT 1 FROM turns WHERE state = 'accepted'"
        " UNION ALL SELECT 1 FROM outbox WHERE state IN ('pending', 'sending')"
    )
    while (took_s := time.monotonic() - started) < RECOVERY_MAX_S:
        if load.idle() and not stack.ledger.rows(open_rows):
            break
        gevent.sleep(0.25)
    return took_s


def _violations(evidence: Evidence) -> list[str]:
    """Return what broke which law, and print the stories of the first of each."""
    found = []
    for law in LAWS:
        broken = list(law(evidence))
        found += [f"{law.__name__}: {word} {what}" for word, what in broken]
        for word in dict.fromkeys(word for word, _ in broken[:STORIES_MAX] if word):
            print(f"======== {law.__name__}: {word}\n{evidence.trace(word)}")
    return found


def _assert_nothing_is_held(stack: Stack) -> None:
    """No session of the dead, no transaction left open, no socket whose other end has gone."""
    alive = [each for each in stack.processes if not each.ended()]
    sessions = stack.ledger.rows(
        "SELECT pid, application_name, state, query FROM pg_stat_activity WHERE application_name LIKE 'switchboard%%'"
    )
    assert len(sessions) <= 8 * len(alive), "store.connections_max a process"
    assert [each for each in sessions if (each["state"] or "").startswith("idle in transaction")] == []
    sockets = [(each.name, socket) for each in alive for socket in psutil.Process(each.pid).net_connections()]
    assert [each for each in sockets if each[1].status == psutil.CONN_CLOSE_WAIT] == []
