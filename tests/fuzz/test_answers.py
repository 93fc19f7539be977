"""What an endpoint answers, whatever it sends and however the network cuts it: an answer, or a documented failure."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rpc.answers import answers, assert_the_same, cut, cuts, outcome

pytestmark = pytest.mark.slow
explore = settings(settings.get_profile("explore"))


@explore
@given(answers, cuts, st.booleans())
def test_how_an_answer_is_cut_changes_nothing(data: bytes, sizes: list[int], bodiless: bool) -> None:
    whole = outcome([data], bodiless=bodiless)

    assert_the_same(whole, outcome(cut(data, sizes), bodiless=bodiless))
    assert_the_same(whole, outcome(cut(data, [1] * len(data)), bodiless=bodiless))
