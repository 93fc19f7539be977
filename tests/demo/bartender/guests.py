"""A guest, as the gateway would carry them: state and memory go out with a reply and come back with the next turn."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from gateway.demo.bartender.bartender import Answer, Bartender
from gateway.demo.wire import Conversation, Message, Surface, TurnRequest, User

__all__ = ["Guest", "turn"]


def turn(
    message: Message | str,
    *,
    turn_id: str = "1",
    state: dict[str, Any] | None = None,
    memory: dict[str, Any] | None = None,
    surface: Surface | None = None,
    name: str = "",
) -> TurnRequest:
    """Return the turn of a guest who sends *message*."""
    return TurnRequest(
        turn_id=turn_id,
        fence=1,
        deadline_ms=30_000,
        conversation=Conversation("45", state),
        user=User("9", name, memory),
        message=Message("text", message) if isinstance(message, str) else message,
        surface=surface or Surface(),
    )


class Guest:
    """Somebody at the bar."""

    def __init__(self, bartender: Bartender, *, surface: Surface | None = None) -> None:
        self._bartender = bartender
        self._surface = surface
        self._turns = 0
        self.state: dict[str, Any] | None = None
        self.memory: dict[str, Any] | None = None

    def leave(self) -> None:
        """End this conversation; the next message begins another one."""
        self.state = None

    def says(self, text: str) -> Answer:
        """Send *text*."""
        return self.sends(Message("text", text))

    def sends(self, message: Message) -> Answer:
        """Send *message* and keep what the reply wants kept."""
        self._turns += 1
        request = turn(
            message, turn_id=str(self._turns), state=self.state, memory=self.memory, surface=self._surface
        )
        answer = self._bartender.answer(request)
        if answer.reply.state is not UNSET:
            self.state = answer.reply.state
        if answer.reply.memory is not UNSET:
            self.memory = answer.reply.memory
        return answer
