"""Retention and sweeping: what is old goes, what is young or still at work stays, and nothing is left half gone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from gateway.domain.job import Done, Draft
from gateway.jobs.kinds import RetentionFrom
from tests.support.actor import Actor, arrival
from tests.support.job_actor import JobActor, asked
from tests.workers.forgetting import History, history

OLD, YOUNG = 31.0, 29.0


@pytest.fixture
def past(database: str, redis_url: str) -> Iterator[History]:
    with history(database, redis_url) as made:
        yield made


def forgotten(past: History, **how: Any) -> dict[str, int]:
    outcome = past.run("retention", **how)
    assert isinstance(outcome, Done)
    assert outcome.then == ()
    return dict(outcome.result)


# Turns, conversations, users


def test_old_turns_go_with_their_replies_and_young_ones_stay(past: History) -> None:
    past.keep(turns_days=30)
    past.say("old")
    past.age(OLD)
    past.say("young")
    past.age(YOUNG, where="true")
    past.age(-YOUNG, "conversations", "users", "jobs", "dead_letters", "processes")
    # By now "old" is 60 days old and "young" 29.
    assert forgotten(past) == {"turns": 1, "conversations": 0, "gone": 0}
    assert [turn["message"]["text"] for turn in past.view.rows("SELECT message FROM turns")] == ["young"]
    assert past.count("outbox") == 1


def test_a_turn_that_is_still_open_stays_however_old_it_is(past: History) -> None:
    past.keep(turns_days=30)
    past.say(answered=False)
    past.age(400)
    assert forgotten(past)["turns"] == 0
    assert not past.gateway.answer(past.gateway.one("SELECT id FROM conversations")).lost


def test_a_reply_that_is_not_sent_yet_stays(past: History) -> None:
    past.keep(turns_days=30)
    accepted = past.gateway.say()
    past.gateway.answer(accepted.conversation_id, pushes=["later"])
    past.age(OLD)
    assert forgotten(past) == {"turns": 1, "conversations": 0, "gone": 0}
    assert past.count("outbox", "state = 'pending'") == 1


def test_a_conversation_goes_with_its_last_turn(past: History) -> None:
    past.keep(turns_days=30)
    past.gateway.rows("SELECT 1")
    accepted = past.say()
    past.view.rows("UPDATE conversations SET state = '{\"a\": 1}'")
    past.age(OLD)
    assert forgotten(past) == {"turns": 1, "conversations": 1, "gone": 0}
    [row] = past.view.rows("SELECT key, state FROM conversations")
    assert (row["key"], row["state"]) == (f"gone:{accepted.conversation_id}", None)
    past.age(9, "conversations")
    assert forgotten(past)["gone"] == 1
    assert past.count("conversations") == 0


def test_one_in_which_somebody_speaks_again_is_a_new_one(past: History) -> None:
    past.keep(turns_days=30)
    before = past.say()
    past.age(OLD)
    forgotten(past)
    after = past.say("again")
    assert after.conversation_id != before.conversation_id
    assert (after.seq, past.count("conversations")) == (1, 2)


def test_a_message_on_its_way_into_one_that_is_being_forgotten_is_kept(past: History, database: str) -> None:
    """Law: whoever has found a conversation finds it in the next statement too, and nothing said in it is lost."""
    past.keep(turns_days=30)
    before = past.say(lane="lane", user="ada")
    past.age(OLD)
    other = Actor(database)
    with past.gateway.transaction():
        # It has the row; the accept has read its id and waits for it.
        past.gateway.rows("SELECT id FROM conversations FOR UPDATE")
        accepting = gevent.spawn(other.accept, arrival("late", lane="lane", user="ada"))
        past.gateway.holds_up(other, accepting)
        past.gateway.rows("UPDATE conversations SET key = 'gone:' || id, gone_at = clock_timestamp() RETURNING id")
    [accepted] = accepting.get()
    assert (accepted.outcome, accepted.conversation_id) == ("new", before.conversation_id)
    past.age(9, "conversations", "users")
    forgotten(past)
    assert not other.answer(accepted.conversation_id).lost


def test_users_of_whom_there_is_no_turn_go(past: History) -> None:
    past.keep(turns_days=30, users_days=20)
    past.say(user="old")
    past.view.rows("UPDATE users SET memory = '{\"name\": \"Ada\"}'")
    past.age(OLD)
    past.say(user="speaks")
    past.age(21, "users", where="key = 'speaks'")
    past.say(user="new", lane="other")
    past.view.rows("DELETE FROM turns WHERE user_id = (SELECT id FROM users WHERE key = 'new')")
    assert forgotten(past)["users"] == 1
    left = past.view.rows("SELECT key, name, locale, memory FROM users ORDER BY id")
    assert [row["key"] for row in left[1:]] == ["speaks", "new"]
    assert (left[0]["key"][:5], left[0]["name"], left[0]["locale"], left[0]["memory"]) == ("gone:", "", "", None)
    past.age(9, "users")
    forgotten(past)
    assert [row["key"] for row in past.view.rows("SELECT key FROM users ORDER BY id")] == ["speaks", "new"]


# The others


def test_what_has_ended_long_ago_goes_from_outbox_letters_and_jobs(past: History) -> None:
    past.keep(outbox_days=30, dead_letters_days=30, buried_jobs_days=30)
    past.say("a")
    past.view.rows("INSERT INTO dead_letters (kind, channel, account, reason) VALUES ('turn', '', '', '')")
    for state in ("buried", "ready"):
        past.gateway.rows(
            "INSERT INTO jobs (id, place, partition, state, kind, payload, due_at, finished_at) VALUES"
            " (nextval('job_places'), 1, 1, %s, 'test', '{}', clock_timestamp(),"
            " CASE WHEN %s = 'buried' THEN clock_timestamp() END) RETURNING id",
            state,
            state,
        )
    past.age(YOUNG)
    assert forgotten(past) == {"outbox": 0, "dead_letters": 0, "buried_jobs": 0, "gone": 0}
    past.age(OLD - YOUNG)
    assert forgotten(past) == {"outbox": 1, "dead_letters": 1, "buried_jobs": 1, "gone": 0}
    assert (past.count("turns"), past.count("jobs", "state = 'ready'")) == (1, 1)


def test_what_is_kept_for_good_is_not_looked_at(past: History) -> None:
    past.keep()
    past.say()
    past.age(4_000)
    assert forgotten(past) == {"gone": 0}
    assert past.view.counts()["turns"] == 1


# In portions

MANY = 2_500
_EMPTY = dict.fromkeys(("turns", "conversations", "users", "outbox"), 0)


def say_much(past: History) -> None:
    """Have many people said one thing each, and been answered."""
    past.view.rows(
        f"""
        INSERT INTO users (channel, account, key, name, locale)
        SELECT 'slack', 'bot', n, '', '' FROM generate_series(1, {MANY}) AS n;
        INSERT INTO conversations (channel, account, key, last_seq, done_seq)
        SELECT 'slack', 'bot', n, 1, 1 FROM generate_series(1, {MANY}) AS n;
        INSERT INTO turns (conversation_id, seq, state, user_id, surface, address, message, trace_id, accepted_by)
        SELECT n, 1, 'answered', n, '', '{{}}', '{{}}', '', 1 FROM generate_series(1, {MANY}) AS n;
        INSERT INTO outbox (conversation_id, turn_id, channel, account, kind, state, payload, due_at, finished_at)
        SELECT n, n, '', '', 'push', 'sent', '{{}}', now(), now() FROM generate_series(1, {MANY}) AS n
        """
    )


def left(past: History) -> dict[str, int]:
    return {table: past.count(table) for table in _EMPTY}


def test_more_than_a_portion_goes(past: History) -> None:
    past.keep(turns_days=30, users_days=30)
    say_much(past)
    past.age(OLD)
    assert forgotten(past) == {"turns": MANY, "conversations": MANY, "users": MANY, "gone": 0}
    past.age(9)
    assert forgotten(past)["gone"] == 2 * MANY
    assert left(past) == _EMPTY


def test_a_run_without_time_asks_for_the_next_one_which_goes_on(past: History) -> None:
    """Law: a history too long for one run is forgotten by several, each from where the last one ended."""
    past.keep(turns_days=30, dead_letters_days=30)
    say_much(past)
    past.age(OLD)
    went_on = []
    outcome = Done(then=(Draft(kind="retention", payload=RetentionFrom()),))
    while outcome.then:
        # Time for one statement.
        past.tell_time(0.0, math.inf)
        found = past.run("retention", outcome.then[0].payload, lane="schedule:retention")
        assert isinstance(found, Done)
        outcome = found
        for draft in outcome.then:
            assert (draft.kind, draft.lane) == ("retention", "schedule:retention")
            went_on.append((draft.payload.step, draft.payload.behind))
        assert len(went_on) < 20
    assert (past.count("turns"), past.count("conversations", "gone_at IS NULL")) == (0, 0)
    assert went_on[:4] == [(0, 1_000), (0, 2_000), (1, 0), (1, 1_000)]


# Sweeping


def test_results_are_kept_for_their_time(past: History) -> None:
    for n in (1, 2):
        past.gateway.rows(
            "INSERT INTO jobs (id, place, partition, state, kind, payload, due_at, result, expires_at) VALUES"
            " (nextval('job_places'), 1, 1, 'done', 'test', '{}', clock_timestamp(), '1',"
            " clock_timestamp() + make_interval(days => %s)) RETURNING id",
            n,
        )
    assert past.run("sweep.job_results") == Done(0)
    past.age(1.5, "jobs")
    assert past.run("sweep.job_results") == Done(1)
    assert past.count("jobs") == 1


def test_processes_that_are_no_more_go_and_the_living_stay(past: History, database: str) -> None:
    dead = Actor(database)
    dead.leave()
    past.age(6, "processes")
    assert past.run("sweep.processes") == Done(0)
    past.age(2, "processes")
    assert past.run("sweep.processes") == Done(1)
    assert past.count("processes", f"id = {dead.id}") == 0
    assert past.gateway.beat() is not None


def test_what_a_dead_process_claimed_by_a_statement_that_outlived_it_goes_with_it(
    past: History, database: str
) -> None:
    dead, living = JobActor(database), JobActor(database)
    dead.take()
    dead.ask(asked(1))
    dead.die(buried_by=living)
    dead.scan()
    living.take()
    assert len(living.scan()) == 1
    past.age(8, "processes", where=f"id = {dead.id}")
    past.run("sweep.processes")
    assert past.view.rows("SELECT process FROM job_claims") == [{"process": living.id}]


def test_dedupe_keys_go_when_the_platform_has_given_up(past: History) -> None:
    past.say("old")
    past.view.rows("UPDATE dedupe_keys SET seen_at = seen_at - interval '8 days'")
    past.say("young")
    outcome = past.run("sweep.dedupe_keys")
    assert isinstance(outcome, Done)
    assert outcome.result["slack"] == 1
    assert past.count("dedupe_keys") == 1


def test_a_sweep_ends_before_its_time_limit_does(past: History) -> None:
    past.view.rows(
        f"""
        INSERT INTO jobs (id, place, partition, state, kind, payload, due_at, expires_at)
        SELECT nextval('job_places'), 1, 1, 'done', 'test', '{{}}', now(), now() FROM generate_series(1, {MANY})
        """
    )
    past.tell_time(0.0, 0.0, math.inf)
    assert past.run("sweep.job_results") == Done(2_000)
    past.tell_time(0.0)
    assert past.run("sweep.job_results") == Done(MANY - 2_000)
