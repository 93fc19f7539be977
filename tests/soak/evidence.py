"""Everything that is known once it is quiet: what was said, what the ledger holds, what the other sides saw."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from tests.soak.peers import Asked, Posted
from tests.soak.said import WORD, Said
from tests.support.stack import Stack

__all__ = ["Evidence", "Row"]

Row = dict[str, Any]


class Evidence:
    """One look at all sides."""

    def __init__(
        self,
        stack: Stack,
        said: Iterable[Said],
        asked: list[Asked],
        posted: list[Posted],
        resumed: list[float],
    ) -> None:
        self.said = {each.word: each for each in said}
        self.asked = asked
        self.posted = posted
        self.resumed = resumed
        ledger = stack.ledger
        self.conversations: dict[int, Row] = {
            row["id"]: row for row in ledger.rows("SELECT * FROM conversations")
        }
        self.turns: list[Row] = ledger.rows("SELECT * FROM turns ORDER BY conversation_id, seq")
        self.outbox: list[Row] = ledger.rows("SELECT * FROM outbox ORDER BY id")
        self.letters: list[Row] = ledger.rows("SELECT * FROM dead_letters ORDER BY id")
        self.processes: list[Row] = ledger.rows("SELECT * FROM processes ORDER BY id")
        self._logs = {process.name: process.log.read_text(errors="replace") for process in stack.processes}
        self.turns_about: dict[str, list[Row]] = defaultdict(list)
        for turn in self.turns:
            self.turns_about[turn["message"]["text"]].append(turn)
        self.by_id = {turn["id"]: turn for turn in self.turns}
        self.asked_about: dict[int, list[Asked]] = defaultdict(list)
        for call in asked:
            self.asked_about[call.turn_id].append(call)

    def reply(self, turn: Row) -> str:
        """Return the text of a turn's settled reply."""
        return "".join(part.get("text", "") for part in (turn["reply"] or {}).get("parts", ()))

    def log_lines(self, *words: str) -> Iterator[str]:
        """Yield the lines of all logs that hold one of *words*, with the name of their process."""
        for name, log in self._logs.items():
            for line in log.splitlines():
                if any(word in line for word in words):
                    yield f"{name}: {line}"

    def trace(self, word: str) -> str:
        """Return the whole story of one message."""
        lines = [self.said[word].story()] if word in self.said else []
        for turn in self.turns_about.get(word, []):
            conversation = self.conversations[turn["conversation_id"]]
            lines += [f"turn {turn}", f"conversation {conversation}"]
            lines += [f"asked {call}" for call in self.asked_about[turn["id"]]]
            lines += [f"outbox {row}" for row in self.outbox if row["turn_id"] == turn["id"]]
            lines += [f"process {row}" for row in self.processes]
            lines += [f"letter {row}" for row in self.letters if row["turn_id"] == turn["id"]]
            lines += self.log_lines(turn["trace_id"], f"conversation_id={conversation['id']} ")
        lines += [f"posted {post}" for post in self.posted if word in post.text]
        return "\n".join(lines)

    def summary(self) -> str:
        """Return what happened, in numbers."""
        states = Counter(f"{turn['state']} {turn['reason'] or ''}".strip() for turn in self.turns)
        fates = Counter(f"{row['kind']} {row['state']} {row['reason'] or ''}".strip() for row in self.outbox)
        letters = Counter(f"{row['kind']} {row['reason']}" for row in self.letters)
        tries = sum(len(said.tries) for said in self.said.values())
        return "\n".join(
            [
                f"{len(self.said)} messages in {tries} deliveries, {len(self.asked)} calls, {len(self.posted)} posts",
                f"turns: {dict(states)}; run again: {sum(turn['deaths'] > 0 for turn in self.turns)}",
                f"outbox: {dict(fates)}",
                f"dead letters: {dict(letters)}",
            ]
        )

    def word_of(self, text: str) -> str:
        """Return the message that a text is about, or an empty string."""
        found = WORD.search(text)
        return found[1] if found else ""
