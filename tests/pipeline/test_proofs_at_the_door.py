"""What proves a delivery has been replaced at its address: the platform is let in, and nobody else."""

from __future__ import annotations

import pytest

from gateway.channels.alexa.refused import Refused
from tests.channels.alexa.authority import SIGNER, Certificate, Issuer, pem
from tests.channels.alexa.deliveries import MIDDLE, ROOT, launch, signed
from tests.pipeline.alexa_house import House, settles

NEXT_KEY = Issuer("Next leaf")
NEXT_CHAIN = pem(Certificate(NEXT_KEY, MIDDLE, ca=False, names=[SIGNER]), Certificate(MIDDLE, ROOT))


@pytest.fixture
def house() -> House:
    house = House()
    house.end = settles(41)
    return house


def test_a_new_key_at_the_same_address_is_fetched_when_the_old_one_fails(house: House) -> None:
    """Law: a platform that changes its key is not locked out for as long as the old one is kept."""
    assert house.receive(signed(launch())).status == 200
    house.chain, house.now = NEXT_CHAIN, 61.0

    assert house.receive(signed(launch(), by=NEXT_KEY)).status == 200
    with pytest.raises(Refused):
        house.receive(signed(launch()))
    assert house.fetches == 2


def test_whoever_proves_nothing_has_it_fetched_once_a_minute(house: House) -> None:
    """Law: a stranger's request costs Amazon no call, and nobody else a refusal."""
    house.receive(signed(launch()))
    for _ in range(20):
        house.now += 10.0
        with pytest.raises(Refused):
            house.receive(signed(launch(), by=NEXT_KEY))

    assert house.fetches == 1 + 200 // 60
    assert house.receive(signed(launch())).status == 200
