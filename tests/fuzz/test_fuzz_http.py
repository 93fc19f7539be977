"""The fuzzer's target holds for what the fuzzer begins with, so that a failure of `make fuzz` is a new one."""

from __future__ import annotations

from itertools import product

import pytest

from tests.fuzz.fuzz_http import one_input, packed
from tests.server.reading import SEEDS


@pytest.mark.parametrize(("first", "second"), list(product(SEEDS, repeat=2)))
def test_every_pair_of_seeds(first: bytes, second: bytes) -> None:
    data = first + second
    for at in range(len(data) + 1):
        one_input(packed(data, [at, len(first)]))


def test_an_input_may_be_anything() -> None:
    for data in (b"", b"\x07", b"\xff\x00", bytes(range(256))):
        one_input(data)
