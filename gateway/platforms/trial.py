"""A trial: one account on one platform, with somebody to speak to it and somebody to look at the screen.

What ``simulate``, ``chat`` and ``play`` have in common.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from gateway.platforms.base import Answer, Control, Delivery, Platform, Scene, Seen
from gateway.platforms.calls import StandInClient, deliver
from gateway.platforms.faults import Fault
from gateway.platforms.inbox import Inbox, StandInInbox, StreamInbox
from gateway.settings.accounts import Account, WebchatAccount

__all__ = ["Told", "Trial", "find", "numbered"]


class Told(msgspec.Struct, frozen=True):
    """A delivery that was made: what the gateway answered, and what its user saw by that answer."""

    answer: Answer
    took_s: float
    seen: tuple[Seen, ...]


class Trial:
    """One account, its platform, and where the other two processes are."""

    def __init__(self, platform: Platform[Any], account: Account, *, gateway: str, stand_in: str) -> None:
        self.platform = platform
        self.account = account
        self.gateway = gateway
        self._stand_in = stand_in
        self._number = 0

    @property
    def client(self) -> StandInClient | None:
        """The stand-in, or None where this account's replies do not go there."""
        if self.platform.inbox != "stand_in" or not self._stand_in:
            return None
        sent_to = self.platform.api_base_url(self.account)
        is_there = not sent_to or sent_to == self._stand_in or sent_to.startswith(f"{self._stand_in}/")
        return StandInClient(self._stand_in) if is_there else None

    def scene(self, user: str, thread: str = "", *, group: bool = False, room: str = "") -> Scene:
        """Return the present moment of *user*; *room* names the group, where it is one."""
        # By the clock, so that two runs of a command never give one number twice.
        self._number = max(self._number + 1, time.time_ns() // 1_000)
        return Scene(
            user=user,
            thread=thread,
            group=group,
            room=room,
            at_s=time.time(),
            number=self._number,
            origin=self._stand_in,
        )

    def open(self, scene: Scene) -> Inbox | None:
        """Return the inbox of the conversation of *scene*; None: what is pushed goes to the real platform.

        :raises gateway.platforms.calls.NotThere: the gateway or the stand-in does not answer.
        """
        if isinstance(self.account, WebchatAccount):
            return StreamInbox(self.gateway, self.account, scene)
        client = self.client
        if client is None:
            return None
        return StandInInbox(client, *self._where(scene))

    def harm(self, scene: Scene, fault: Fault, count: int = 1) -> bool:
        """Have the next *count* messages of the conversation meet *fault*; return whether any can."""
        client = self.client
        if client is None or "faults" not in self.platform.offers:
            return False
        client.tell(*self._where(scene), fault, count)
        return True

    def spare(self, scene: Scene) -> int:
        """Have no more of the conversation's messages meet a fault; return how many would have."""
        client = self.client
        return 0 if client is None else client.clear(*self._where(scene))

    def make(self, delivery: Delivery, *, repeat: int = 0) -> Told:
        """Make a delivery, and return what came back; *repeat* is the number of this redelivery."""
        signed = self.platform.signed(self.account, delivery, at_s=time.time(), repeat=repeat)
        answer, took_s = deliver(self.gateway, signed)
        return Told(answer, took_s, self.platform.answered(self.account, delivery, answer))

    def _where(self, scene: Scene) -> tuple[str, str, str]:
        return self.platform.name, self.account.name, self.platform.place(self.account, scene)


def find(past: tuple[Seen, ...], wanted: str) -> Control:
    """Return the control that *wanted* means: by its number in the last message that has any, or by its label.

    :raises LookupError: none is meant; the text says which there are.
    """
    shown = next((seen.controls for seen in reversed(past) if seen.controls), ())
    if not shown:
        raise LookupError("nothing with buttons has been shown in this conversation")
    if (control := numbered(shown, wanted)) is not None:
        return control
    # An older message's buttons can be tapped as well: by their label alone.
    for controls in (shown, *(seen.controls for seen in reversed(past))):
        for control in controls:
            if control.label.casefold() == wanted.casefold():
                return control
    there = ", ".join(f"{number} {control.label}" for number, control in enumerate(shown, 1))
    raise LookupError(f"there is no button {wanted!r}; there are: {there}")


def numbered(shown: tuple[Control, ...], text: str) -> Control | None:
    """Return the control whose number *text* is, from 1 on; None: it is no such number."""
    # By comparison: a number of 5,000 digits is one that Python does not read.
    return next((control for number, control in enumerate(shown, 1) if text == str(number)), None)
