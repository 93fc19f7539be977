"""An answer that is kept for the next turn survives whoever made it, and is told once by whoever is there."""

from __future__ import annotations

import gevent
import pytest

from tests.support.alexa_platform import speech
from tests.support.assistant import says
from tests.support.stack import GatewayProcess, Stack, word
from tests.support.stand_in import Hold

LATER = "That takes me a little longer. Ask me again in a moment, and I will tell you."
KEPT = "Here is what you asked for."
#: Waits for a second.
HURRIED = "counted"


def test_the_gateway_that_kept_it_dies(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """Law: what was promised for later is in the ledger, and told by another one, once.

    Fails when it is kept in the process that made it.
    """
    said, behind, after, user = word(), word(), word(), word()
    hold = Hold(says(f"at last {said}"))
    stack.assistant.will(said, hold)
    assert speech(stack.alexa.says(said, user=user, account=HURRIED).send(gateways[0].port)) == LATER
    hold.released.set()
    stack.ledger.wait_outbox(said, "pending")
    gateways[0].kill()

    told = stack.alexa.says(behind, user=user, account=HURRIED).send(gateways[1].port)
    assert speech(told).splitlines()[:2] == [KEPT, f"at last {said}"]
    stack.ledger.wait_outbox(said, "sent")
    third = stack.alexa.says(after, user=user, account=HURRIED).send(gateways[1].port)
    assert said not in speech(third)


def test_the_gateway_dies_after_it_has_promised_an_answer(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """Law: the turn that the user was told to wait for is run by the other one, and its answer kept and told.

    Fails when adopted turns of such a channel are pushed, or dropped because nobody waits for them.
    """
    said, behind, user = word(), word(), word()
    hang = Hold(says("never said"))
    stack.assistant.will(said, hang, says(f"from the other {said}"))
    assert speech(stack.alexa.says(said, user=user, account=HURRIED).send(gateways[0].port)) == LATER
    gateways[0].kill()

    [row] = stack.ledger.wait_outbox(said, "pending")
    assert (row["kind"], row["kept_until"] is not None) == ("response", True)
    told = stack.alexa.says(behind, user=user, account=HURRIED).send(gateways[1].port)
    assert speech(told).splitlines()[:2] == [KEPT, f"from the other {said}"]
    stack.ledger.wait_outbox(said, "sent")


def test_the_gateway_dies_while_somebody_waits_for_the_answer(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """The caller's connection breaks; the answer is made elsewhere, and kept as if it had been late."""
    said, behind, user = word(), word(), word()
    hang = Hold(says("never said"))
    stack.assistant.will(said, hang, says(f"after all {said}"))
    caller = gevent.spawn(_broken, stack, said, user, gateways[0].port)
    hang.wait_reached()
    gateways[0].kill()
    caller.get()

    stack.ledger.wait_outbox(said, "pending")
    told = stack.alexa.says(behind, user=user).send(gateways[1].port)
    assert speech(told).splitlines()[:2] == [KEPT, f"after all {said}"]


def test_no_gateway_lives_and_a_worker_answers(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """Law: a worker that runs the turn keeps its answer, too, and sends nothing."""
    said, behind, user = word(), word(), word()
    hang = Hold(says("never said"))
    stack.assistant.will(said, hang, says(f"from a worker {said}"))
    assert speech(stack.alexa.says(said, user=user, account=HURRIED).send(gateways[0].port)) == LATER
    for gateway in gateways:
        gateway.kill()
    stack.ledger.wait_outbox(said, "pending")
    fresh = stack.start_gateway()
    fresh.wait_ready()

    told = stack.alexa.says(behind, user=user, account=HURRIED).send(fresh.port)
    assert speech(told).splitlines()[:2] == [KEPT, f"from a worker {said}"]


def _broken(stack: Stack, said: str, user: str, port: int) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - a killed gateway breaks it in whichever way it does
        stack.alexa.says(said, user=user).send(port)
