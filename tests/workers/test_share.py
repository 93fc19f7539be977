"""Shares: every worker comes to the same ones by itself, and they meet."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.job import PARTITIONS
from workers.share import Keep, Release, Take, share


def none_runs(_: int) -> int:
    return 0


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 7, 31, 32, 33, 40])
def test_the_shares_of_all_workers_are_all_partitions(workers: int) -> None:
    ids = [10 * number for number in range(1, workers + 1)]
    takes = [share(me, ids, [], none_runs) for me in ids]
    targets = [take.partitions_max if isinstance(take, Take) else 0 for take in takes]
    assert sum(targets) == PARTITIONS
    assert max(targets) - min(targets) <= 1


def test_whoever_owns_too_many_gives_up_those_in_which_it_runs_least() -> None:
    running = {0: 5, 1: 0, 2: 7, 3: 1}
    decided = share(1, [1, *range(100, 115)], [0, 1, 2, 3], running.__getitem__)
    assert decided == Release(frozenset({1, 3}))


def test_the_right_number_is_kept() -> None:
    assert share(2, [1, 2], range(16), none_runs) == Keep()


def test_who_does_not_share_gives_up_everything() -> None:
    assert share(3, [1, 2], [4, 5], none_runs) == Release(frozenset({4, 5}))
    assert share(3, [1, 2], [], none_runs) == Keep()
    assert share(3, [], [4], none_runs) == Release(frozenset({4}))


@given(
    st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=40, unique=True), min_size=1, max_size=4),
    st.randoms(),
)
def test_whoever_comes_and_goes_two_rounds_later_everybody_has_its_share(
    crews: list[list[int]], random: random.Random
) -> None:
    """In the first round whoever has too many gives up, in the second whoever has too few finds enough that is free."""
    owners: dict[int, int | None] = dict.fromkeys(range(PARTITIONS))
    for crew in crews:
        # Those who left, left everything.
        owners = {partition: owner if owner in crew else None for partition, owner in owners.items()}
        for _ in range(2):
            for me in random.sample(crew, len(crew)):
                mine = [partition for partition, owner in owners.items() if owner == me]
                match share(me, crew, mine, none_runs):
                    case Take(partitions_max):
                        free = [partition for partition, owner in owners.items() if owner is None]
                        owners.update(dict.fromkeys(free[:partitions_max], me))
                    case Release(partitions):
                        owners.update(dict.fromkeys(partitions))
        counts = [list(owners.values()).count(me) for me in crew]
        assert sum(counts) == PARTITIONS
        assert max(counts) - min(counts) <= 1
