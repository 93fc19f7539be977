"""A cook, as the gateway would carry them: state and memory go out with a reply and come back with the next turn, and a
timer is kept by its name until it is due.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from gateway.demo.tasted.tasted import Tasted
from gateway.demo.wire import (
    Card,
    Conversation,
    List,
    Message,
    Reply,
    Speech,
    Suggestions,
    Surface,
    Text,
    Timer,
    TurnRequest,
    User,
)

__all__ = ["SCREEN", "VOICE", "Cook", "Seen", "turn"]

SCREEN = Surface(frozenset({"text", "card", "list", "buttons", "suggestions", "image"}), streams=False, pushes=True)
#: Nothing comes there by itself.
VOICE = Surface(frozenset({"speech"}), streams=False, pushes=False)
EVENING_S = 1_763_800_000.0


def turn(
    message: Message | str,
    *,
    turn_id: str = "1",
    state: dict[str, Any] | None = None,
    memory: dict[str, Any] | None = None,
    surface: Surface = SCREEN,
    channel: str = "webchat",
    name: str = "",
) -> TurnRequest:
    """Return the turn of a cook who sends *message*."""
    return TurnRequest(
        turn_id=turn_id,
        fence=1,
        deadline_ms=30_000,
        conversation=Conversation("45", state, channel),
        user=User("9", name, memory),
        message=Message("text", message) if isinstance(message, str) else message,
        surface=surface,
    )


class Seen:
    """A reply, taken apart."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    def of(self, kind: type[Any]) -> list[Any]:
        return [part for part in self.reply.parts if isinstance(part, kind)]

    @property
    def says(self) -> str:
        return " ".join(part.text for part in self.reply.parts if isinstance(part, Text | Speech))

    @property
    def cards(self) -> list[Card]:
        return self.of(Card)

    @property
    def shows(self) -> str:
        return "\n".join(f"{card.title} {card.subtitle}\n{card.text}" for card in self.cards) + "\n".join(
            f"{item.title} {item.text}" for part in self.of(List) for item in part.items
        )

    @property
    def listed(self) -> list[str]:
        return [item.title for part in self.of(List) for item in part.items]

    @property
    def suggests(self) -> list[str]:
        return [text for part in self.of(Suggestions) for text in part.texts]

    @property
    def buttons(self) -> list[str]:
        return [button.value for card in self.cards for button in card.buttons]


class Cook:
    """Somebody in a kitchen, and the time there."""

    def __init__(self, tasted: Tasted, *, surface: Surface = SCREEN) -> None:
        self._tasted = tasted
        self.surface = surface
        self._turns = 0
        self.now_s = EVENING_S
        self.state: dict[str, Any] | None = None
        self.memory: dict[str, Any] | None = None
        #: What the gateway has been asked for and has not sent yet: due time and timer by name.
        self.waiting: dict[str, tuple[float, Timer]] = {}

    def leave(self) -> None:
        """End this conversation; the next message begins another one."""
        self.state = None
        self.waiting.clear()

    def says(self, text: str) -> Seen:
        """Send *text*."""
        return self.sends(Message("text", text))

    def taps(self, value: str) -> Seen:
        """Tap the button of *value*."""
        return self.sends(Message("tap", name="button", value=value))

    def sends(self, message: Message) -> Seen:
        """Send *message* and keep what the reply wants kept."""
        self._turns += 1
        request = turn(
            message, turn_id=str(self._turns), state=self.state, memory=self.memory, surface=self.surface
        )
        reply = self._tasted.answer(request, self.now_s)
        if reply.state is not UNSET:
            self.state = reply.state
        if reply.memory is not UNSET:
            self.memory = reply.memory
        for timer in reply.timers:
            self.waiting.pop(timer.name, None)
            if timer.after_s is not None:
                self.waiting[timer.name] = (self.now_s + timer.after_s, timer)
        return Seen(reply)

    def waits(self, seconds: float) -> list[str]:
        """Let time pass; return what the timers that are due have said, in their order."""
        self.now_s += seconds
        due = sorted((at, name) for name, (at, _) in self.waiting.items() if at <= self.now_s)
        rung = [self.waiting.pop(name)[1] for _, name in due]
        return [part.text for timer in rung for part in timer.parts if isinstance(part, Text)]
