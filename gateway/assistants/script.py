"""Scripts: what a scripted assistant says to what.  Pure: the same message gets the same step, anywhere.

The first rule whose pattern is found in what the user said decides; what no rule matches is echoed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from gateway.assistants.preview import Preview
from gateway.domain.message import Message
from gateway.domain.reply import Part, Reply, Text
from gateway.settings.assistants import ScriptRule

__all__ = ["Rule", "Script", "Step", "encode_reply"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about one message: previews, then the pause, then the reply or the failure."""

    reply: Reply = Reply()
    previews: tuple[Preview, ...] = ()
    #: Seconds.
    delay_s: float = 0.0
    #: Reason to fail with; empty: it answers.
    fails_with: str = ""


class Rule(msgspec.Struct, frozen=True):
    """A pattern and its step.  ``{text}`` in a text part stands for what the user said."""

    pattern: str
    step: Step


class Script:
    """Rules in order."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = [(re.compile(rule.pattern, re.IGNORECASE), rule.step) for rule in rules]

    @classmethod
    def of_settings(cls, rules: Iterable[ScriptRule]) -> Script:
        """Return the script that the settings hold."""
        return cls(
            Rule(
                rule.pattern,
                Step(reply=Reply((Text(rule.text),)), delay_s=rule.delay_s, fails_with=rule.fails_with),
            )
            for rule in rules
        )

    def step(self, message: Message) -> Step:
        """Return what is done about *message*."""
        # A tap and a command say something as well, and a trial wants to see it.
        said = message.text or message.value or message.name
        for pattern, step in self._rules:
            if pattern.search(said):
                return msgspec.structs.replace(step, reply=_fill(step.reply, said))
        return Step(reply=Reply((Text(said),)))


def _fill(reply: Reply, said: str) -> Reply:
    return msgspec.structs.replace(reply, parts=tuple(_fill_part(part, said) for part in reply.parts))


def _fill_part(part: Part, said: str) -> Part:
    # Not str.format: what stands in a script may contain other braces.
    return Text(part.text.replace("{text}", said), part.markdown) if isinstance(part, Text) else part


def encode_reply(reply: Reply) -> bytes:
    """Return *reply* as an assistant writes it: ``parts`` stands there even when there are none."""
    return msgspec.json.encode({"parts": (), **msgspec.to_builtins(reply)})
