"""The window: which of the earlier turns a model is told of, and as what.  Pure.

Rules:

- Whole turns, the newest, without a gap, as many as fit into ``history_turns_max`` and ``history_tokens_max``.
- Failed turns are not there (the ledger leaves them out): the model never answered them, and the apology was not its
  own.
- A window begins with its user: a message that came by itself is kept only behind something that was said.
- Two messages of one side are one message, because many models' templates refuse anything but turns.
- Tokens are estimated.  Where the estimate was too good, the server refuses the call before doing anything, and
  ``smaller`` says what to ask instead: half of it, then nothing but the message itself.  So no conversation can grow
  into one that is never answered again.

Deliberately absent: a tokenizer.  Each model has its own table of words, fetched from elsewhere; ours would be exact
for one of them and wrong for the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from gateway.assistants.openai.said import assistant_words, user_words
from gateway.domain.message import Message
from gateway.store.ledger.push import PUSHED
from gateway.store.ledger.transcripts import Exchange

__all__ = ["ChatMessage", "PastTurn", "Window", "estimate_tokens", "messages", "past_turns"]

#: What each message costs beside its words: the marks of its role and its end.
_FRAME_TOKENS = 4


class ChatMessage(msgspec.Struct, frozen=True):
    """One message as the wire has it."""

    role: Literal["system", "user", "assistant"]
    content: str


class PastTurn(msgspec.Struct, frozen=True):
    """A turn of the past; ``user`` is empty where a message came by itself, both are where words were removed."""

    user: str
    assistant: str
    tokens: int


class Window:
    """The newest of *turns* that fit, oldest first."""

    def __init__(self, turns: Sequence[PastTurn], tokens_max: int) -> None:
        self.tokens = 0
        first = len(turns)
        while first and self.tokens + turns[first - 1].tokens <= tokens_max:
            first -= 1
            self.tokens += turns[first].tokens
        while first < len(turns) and not turns[first].user:
            self.tokens -= turns[first].tokens
            first += 1
        self._turns = turns[first:]

    def __len__(self) -> int:
        return len(self._turns)

    def smaller(self) -> Iterator[Window]:
        """Yield what to try when this one was too much: half of its tokens, then none."""
        half = Window(self._turns, self.tokens // 2)
        if half:
            yield half
        if self:
            yield Window((), 0)

    def chat(self) -> Iterator[ChatMessage]:
        """Yield the turns as messages."""
        for turn in self._turns:
            if turn.user:
                yield ChatMessage("user", turn.user)
            if turn.assistant:
                yield ChatMessage("assistant", turn.assistant)


def past_turns(exchanges: Sequence[Exchange], bytes_per_token: float) -> list[PastTurn]:
    """Return *exchanges* as a model is told of them."""
    return [_past(exchange, bytes_per_token) for exchange in exchanges]


def messages(system: str, window: Window, message: Message) -> list[ChatMessage]:
    """Return the whole chat: what the model is, what was said, and *message* last."""
    chat = [ChatMessage("system", system)] if system else []
    for each in (*window.chat(), ChatMessage("user", user_words(message) or f"[{message.kind}]")):
        if chat and chat[-1].role == each.role:
            chat[-1] = ChatMessage(each.role, f"{chat[-1].content}\n\n{each.content}")
        else:
            chat.append(each)
    return chat


def estimate_tokens(text: str, bytes_per_token: float) -> int:
    """Return about how many tokens *text* is."""
    return math.ceil(len(text.encode()) / bytes_per_token)


def _past(exchange: Exchange, bytes_per_token: float) -> PastTurn:
    user = "" if exchange.message == PUSHED else user_words(exchange.message)
    assistant = assistant_words(exchange.parts)
    tokens = sum(
        _FRAME_TOKENS + estimate_tokens(words, bytes_per_token) for words in (user, assistant) if words
    )
    return PastTurn(user, assistant, tokens)
