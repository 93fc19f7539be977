"""The lease: over before anybody may believe that its holder is dead."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.lease import Lease

_SECONDS = st.floats(0, 1e6)


@given(sent_at=_SECONDS, travel_s=st.floats(0, 100), margin_s=st.floats(0.01, 4.9))
def test_it_is_over_a_margin_before_the_others_may_take_over(
    sent_at: float, travel_s: float, margin_s: float
) -> None:
    """Law: they count from the beat's arrival, which is never before it was sent, however long it travelled."""
    lease = Lease.from_beat(sent_at, dead_after_s=5.0, margin_s=margin_s)
    others_may_act_at = sent_at + travel_s + 5.0
    assert not lease.holds(others_may_act_at - margin_s + 1e-6)


def test_it_holds_until_its_instant_and_not_at_it() -> None:
    lease = Lease.from_beat(100.0, dead_after_s=5.0, margin_s=1.0)
    assert lease.holds(100.0)
    assert lease.holds(103.999)
    assert not lease.holds(104.0)
