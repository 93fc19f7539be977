"""Group commit: what shares a batch, what never does, and who fails when one row is bad."""

from __future__ import annotations

from collections.abc import Sequence

import gevent
import psycopg2
import pytest
from gevent import Greenlet
from greenlet import greenlet
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import Overloaded, StoreRefused, StoreUnavailable
from gateway.store.batcher import Batcher
from gateway.store.postgres import Database
from tests.greenlets.switched import switched_to
from tests.server.telling import told
from tests.store.kept import Keeper, kept, make_table
from tests.support.waiting import GUARD_S, until


@pytest.fixture
def table(pool: Database) -> Database:
    make_table(pool)
    return pool


def outcome(batcher: Batcher[str, str], item: str) -> str | Exception:
    try:
        return batcher.submit(item)
    except Exception as error:
        return error


def submitted(batcher: Batcher[str, str], items: Sequence[str]) -> list[Greenlet]:
    """A greenlet for each item, all of them waiting."""
    greenlets = [gevent.spawn(outcome, batcher, item) for item in items]
    gevent.idle()
    return greenlets


def test_items_that_come_while_a_batch_is_under_way_share_the_next_one(table: Database) -> None:
    keeper = Keeper()
    batcher = keeper.batcher(table, rows_max=64)
    keeper.gate.clear()
    first = submitted(batcher, ["first"])
    keeper.begun.wait()
    others = submitted(batcher, [f"item {number}" for number in range(100)])
    keeper.gate.set()
    gevent.joinall([*first, *others])

    assert [len(batch) for batch in keeper.batches] == [1, 64, 36]
    assert [greenlet.value for greenlet in others] == [f"item {number}" for number in range(100)]
    assert kept(table) == ["first", *(f"item {number}" for number in range(100))]


def test_an_idle_batcher_adds_no_delay(table: Database) -> None:
    """Law: one item alone is a batch at once; nothing waits for company."""
    keeper = Keeper()
    assert keeper.batcher(table).submit("alone") == "alone"
    assert keeper.batches == [["alone"]]


def test_batches_one_after_another_share_a_greenlet(table: Database) -> None:
    """Law: a batch of one, which is what a turn's are on a gateway that is not busy, costs no new greenlet."""
    batcher = Keeper().batcher(table)
    batcher.submit("first")
    with switched_to() as greenlets:
        for number in range(3):
            batcher.submit(f"item {number}")
    assert [kind for kind, _ in greenlets] == [greenlet]


def test_items_in_nobodys_way_wait_for_others_until_somebody_hurries(table: Database) -> None:
    keeper = Keeper()
    batcher = keeper.batcher(table, gather_s=10 * GUARD_S)
    alone = submitted(batcher, ["a"])
    company = submitted(batcher, ["b"])
    assert keeper.batches == []
    batcher.hurry()
    gevent.joinall([*alone, *company])
    assert keeper.batches == [["a", "b"]]

    # Also one that comes only then.
    batcher.hurry()
    assert batcher.submit("c") == "c"
    # And the next ones wait again.
    submitted(batcher, ["d"])
    assert keeper.batches == [["a", "b"], ["c"]]
    batcher.hurry()


def test_a_full_batch_waits_for_nobody_and_none_waits_longer_than_it_has_to(table: Database) -> None:
    keeper = Keeper()
    batcher = keeper.batcher(table, rows_max=2, gather_s=0.05)
    gevent.joinall(submitted(batcher, ["a", "b", "c"]))
    assert keeper.batches == [["a", "b"], ["c"]]

    unhurried = keeper.batcher(table, rows_max=2, gather_s=10 * GUARD_S)
    gevent.joinall(submitted(unhurried, ["d", "e"]))
    assert keeper.batches[-1] == ["d", "e"]


def test_no_more_batches_are_under_way_than_the_bound_says(table: Database) -> None:
    keeper = Keeper()
    batcher = keeper.batcher(table, rows_max=1, batches_max=2)
    keeper.gate.clear()
    greenlets = submitted(batcher, list("abcd"))
    until("two batches", lambda: len(keeper.batches) == 2)
    gevent.idle()
    assert keeper.batches == [["a"], ["b"]]
    keeper.gate.set()
    gevent.joinall(greenlets)


def test_equal_keys_are_never_under_way_twice_and_keep_their_order(table: Database) -> None:
    """Law: two batches could commit in either order, so a key is in one of them at a time."""
    keeper = Keeper()
    batcher = keeper.batcher(table, batches_max=2, exclusive=lambda item: item[0])
    keeper.gate.clear()
    greenlets = submitted(batcher, ["x1"])
    keeper.begun.wait()
    greenlets += submitted(batcher, ["x2", "y1", "x3", "y2"])
    until("the second batch", lambda: len(keeper.batches) == 2)
    assert keeper.batches == [["x1"], ["y1", "y2"]]
    keeper.gate.set()
    gevent.joinall(greenlets)

    assert keeper.batches[2] == ["x2", "x3"]
    assert [value for value in kept(table) if value[0] == "x"] == ["x1", "x2", "x3"]


def test_several_items_of_one_caller_keep_their_order(table: Database) -> None:
    keeper = Keeper()
    assert keeper.batcher(table, rows_max=2).submit_all(["a", "b", "c"]) == ["a", "b", "c"]
    assert kept(table) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("poison", "code"),
    [
        ("nul \0 in a text", "ValueError"),
        ("lone surrogate \ud800", "UnicodeEncodeError"),
        ('"nul \\u0000 in jsonb"', "22P05"),
        ("{no json", "22P02"),
        ('"item 3"', "23505"),
    ],
)
def test_bad_data_fails_its_own_row_and_no_strangers(table: Database, poison: str, code: str) -> None:
    """Law: whatever PostgreSQL or its driver thinks of one row, the others of the batch are written."""
    batches: list[int] = []

    def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
        batches.append(len(items))
        cursor.execute("INSERT INTO kept (value) SELECT unnest(%s::jsonb[])", (list(items),))
        return items

    batcher = Batcher("kept", table, work, rows_max=64, batches_max=1, waiting_max=100)
    items = [f'"item {number}"' for number in range(7)]
    greenlets = submitted(batcher, [*items[:5], poison, *items[5:]])
    gevent.joinall(greenlets)

    assert isinstance(greenlets[5].value, StoreRefused)
    assert code in str(greenlets[5].value)
    assert [greenlet.value for greenlet in greenlets if greenlet is not greenlets[5]] == items
    assert sorted(kept(table)) == [item.strip('"') for item in items]
    assert max(batches) == 8, "the strangers were to be in one batch with it"


def test_a_refused_item_leaves_its_connection_in_the_pool(table: Database) -> None:
    keeper = Keeper()
    pid = table.run(_backend)
    with pytest.raises(StoreRefused):
        keeper.batcher(table).submit("\0")
    assert table.run(_backend) == pid


def test_what_waits_is_bounded_and_the_refusal_names_the_setting(table: Database) -> None:
    keeper = Keeper()
    batcher = keeper.batcher(table, waiting_max=2)
    keeper.gate.clear()
    greenlets = submitted(batcher, ["under way"])
    keeper.begun.wait()
    greenlets += submitted(batcher, ["waits", "waits too"])
    with pytest.raises(Overloaded, match=r"store\.batch_waiting_max"):
        batcher.submit("too many")
    keeper.gate.set()
    gevent.joinall(greenlets)

    assert batcher.submit("later") == "later"
    assert kept(table) == ["under way", "waits", "waits too", "later"]


def test_of_several_items_each_has_its_own_outcome(table: Database) -> None:
    """Law: a refused message must not hide that the next one was written, nor that it was not."""
    keeper = Keeper()
    batcher = keeper.batcher(table, waiting_max=2)
    first, second, third = batcher.outcomes(["a", "\0", "c"])
    assert first == "a"
    assert isinstance(second, StoreRefused)
    assert isinstance(third, Overloaded)
    with pytest.raises(Overloaded):
        batcher.submit_all(["d", "\0", "e"])
    assert kept(table) == ["a", "d"]


def test_killing_a_greenlet_that_waits_harms_nobody(table: Database) -> None:
    """Law: its row may be written; the others get what they wait for; nothing is thrown at the dead."""
    keeper = Keeper()
    batcher = keeper.batcher(table)
    keeper.gate.clear()
    first = submitted(batcher, ["under way"])
    keeper.begun.wait()
    one, victim, other = submitted(batcher, ["one", "victim", "other"])
    first[0].kill()
    victim.kill()
    keeper.gate.set()
    gevent.joinall([one, other])

    assert (one.value, other.value) == ("one", "other")
    assert kept(table) == ["under way", "one", "victim", "other"]
    assert batcher.submit("afterwards") == "afterwards"


def test_a_killed_batch_leaves_nobody_waiting(table: Database) -> None:
    """Law: even if the greenlet that runs the batches dies, all who wait learn it or are served by the next one."""
    runners: list[greenlet] = []

    def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
        if not runners:
            runners.append(gevent.getcurrent())
            gevent.sleep(GUARD_S)
        return items

    batcher = Batcher("kept", table, work, rows_max=1, batches_max=1, waiting_max=100)
    first, second = submitted(batcher, ["dies", "waits"])
    until("the batch", lambda: runners)
    gevent.kill(runners[0])
    gevent.joinall([first, second])
    assert isinstance(first.value, gevent.GreenletExit)
    assert second.value == "waits"


def test_what_is_nobodys_data_is_tried_later_instead_of_refused(table: Database) -> None:
    """Law: a missing function, a standby that cannot write or a full disk must never be taken for a bad message."""

    def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
        cursor.execute("SET default_transaction_read_only = on")
        cursor.execute("INSERT INTO kept (value) VALUES ('1')")
        return items

    batcher = Batcher("kept", table, work, rows_max=64, batches_max=1, waiting_max=100)
    with pytest.raises(StoreUnavailable):
        batcher.submit("innocent")


def test_a_mistake_of_our_own_reaches_every_waiter_and_nobody_waits_for_ever(table: Database) -> None:
    def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
        raise ZeroDivisionError

    batcher = Batcher("kept", table, work, rows_max=64, batches_max=1, waiting_max=100)
    greenlets = submitted(batcher, list("abc"))
    gevent.joinall(greenlets)
    assert [type(greenlet.value) for greenlet in greenlets] == [ZeroDivisionError] * 3


def test_whoever_fails_when_it_is_told_keeps_nothing_from_the_others(table: Database) -> None:
    heard: list[str] = []

    def hear(item: str, outcome: str | BaseException) -> None:
        if item == "b":
            raise ZeroDivisionError
        heard.append(item)

    batcher: Batcher[str, str] = Batcher(
        "kept", table, lambda cursor, items: items, rows_max=64, batches_max=1, waiting_max=100
    )
    with told("batch.untold") as events:
        for item in "abc":
            batcher.tell(item, hear)
        until("the others", lambda: heard == ["a", "c"])
    assert events.reasons == ["ZeroDivisionError"]


def _backend(cursor: Cursor) -> int:
    cursor.execute("SELECT pg_backend_pid()")
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def test_the_tests_poison_is_poison() -> None:
    """The driver refuses both by itself: if it stops doing so, the border has moved."""
    with pytest.raises(ValueError, match="NUL"):
        psycopg2.extensions.adapt("\0").getquoted()
