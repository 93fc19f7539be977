"""A trial: one account on one platform, with somebody to speak to it and somebody to look at the screen.

What ``simulate``, ``chat`` and ``play`` have in common.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from gateway.platforms.base import Act, Answer, Control, Delivery, Platform, Scene, Seen
from gateway.platforms.calls import StandInClient, deliver
from gateway.platforms.inbox import Inbox, StandInInbox, StreamInbox
from gateway.settings.accounts import Account, WebchatAccount

__all__ = ["Told", "Trial", "find"]


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

    def scene(self, user: str, thread: str = "", *, group: bool = False) -> Scene:
        """Return the present moment of *user*."""
        # By the clock, so that two runs of a command never give one number twice.
        self._number = max(self._number + 1, time.time_ns() // 1_000)
        return Scene(
            user=user, thread=thread, group=group, at_s=time.time(), number=self._number, origin=self._stand_in
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
        place = self.platform.place(self.account, scene)
        return StandInInbox(client, self.platform.name, self.account.name, place)

    def tell(self, scene: Scene, act: Act, *, repeat: int = 0) -> Told:
        """Deliver what was done, and return what came back; *repeat* is the number of this redelivery."""
        return self.make(self.platform.deliver(self.account, scene, act), repeat=repeat)

    def make(self, delivery: Delivery, *, repeat: int = 0) -> Told:
        """Make a delivery."""
        signed = self.platform.signed(self.account, delivery, at_s=time.time(), repeat=repeat)
        answer, took_s = deliver(self.gateway, signed)
        return Told(answer, took_s, self.platform.answered(self.account, delivery, answer))


def find(past: tuple[Seen, ...], wanted: str) -> Control:
    """Return the control that *wanted* means: by its number in the last message that has any, or by its label.

    :raises LookupError: none is meant; the text says which there are.
    """
    shown = next((seen.controls for seen in reversed(past) if seen.controls), ())
    if not shown:
        raise LookupError("nothing with buttons has been shown in this conversation")
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= len(shown):
        return shown[int(wanted) - 1]
    # An older message's buttons can be tapped as well: by their label alone.
    for controls in (shown, *(seen.controls for seen in reversed(past))):
        for control in controls:
            if control.label.casefold() == wanted.casefold():
                return control
    there = ", ".join(f"{number} {control.label}" for number, control in enumerate(shown, 1))
    raise LookupError(f"there is no button {wanted!r}; there are: {there}")
