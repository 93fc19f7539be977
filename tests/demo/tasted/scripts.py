"""Conversations as scripts that anybody can read: a cook's line, and below it what must be true of the answer.

A cook's line is ``> text``, ``[value]`` (a tapped button) or ``{image}`` (an attachment).  ``+ 90`` lets so many
seconds pass; what rings then is what the expectations below it are about.  ``---`` begins another conversation of the
same cook, ``(voice)`` goes on where nothing is seen and nothing comes by itself.  The expectations are the keys of
:data:`EXPECTATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.demo.tasted.tasted import Tasted
from gateway.demo.wire import Message, Reply, Text
from tests.demo.tasted.cooks import SCREEN, VOICE, Cook, Seen

__all__ = ["SCRIPTS", "play"]

SCRIPTS = tuple(sorted((Path(__file__).parent / "conversations").glob("*.txt")))

EXPECTATIONS: dict[str, Callable[[Cook, Seen, str], bool]] = {
    "says": lambda _, seen, text: text in seen.says,
    "not says": lambda _, seen, text: text not in seen.says,
    "shows": lambda _, seen, text: text in seen.shows,
    "not shows": lambda _, seen, text: bool(seen.shows) and text not in seen.shows,
    "card": lambda _, seen, title: title in [card.title for card in seen.cards],
    "picture": lambda _, seen, name: f"https://tasted.example/pictures/{name}.png"
    in [card.image.url for card in seen.cards if card.image],
    "lists": lambda _, seen, names: seen.listed[: len(names.split(", "))] == names.split(", "),
    "in list": lambda _, seen, name: name in seen.listed,
    "not in list": lambda _, seen, name: bool(seen.listed) and name not in seen.listed,
    "suggests": lambda _, seen, text: text in seen.suggests,
    "no suggestion": lambda _, seen, text: text not in seen.suggests,
    "button": lambda _, seen, value: value in seen.buttons,
    "no button": lambda _, seen, value: bool(seen.buttons) and value not in seen.buttons,
    "timer": lambda _, seen, what: what in [f"{one.name} {one.after_s:g}" for one in seen.reply.timers if one.after_s],
    "takes back": lambda _, seen, name: name in [one.name for one in seen.reply.timers if one.after_s is None],
    "no timer": lambda _, seen, __: not seen.reply.timers,
    "waiting": lambda cook, _, names: sorted(cook.waiting) == sorted(filter(None, names.split(", "))),
    "remembers": lambda cook, _, what: what in str(cook.memory),
    "forgets everything": lambda cook, _, __: cook.memory is None and cook.state is None,
    "ends": lambda _, seen, __: seen.reply.end,
}


def play(path: Path, tasted: Tasted) -> Iterator[str]:
    """Yield every expectation of the script at *path* that did not come true, with its line and the answer."""
    cook, seen, said = Cook(tasted), Seen(Reply(())), ""
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, _, wanted = line.partition(":")
        if name in EXPECTATIONS:
            if not EXPECTATIONS[name](cook, seen, wanted.strip()):
                yield f"{path.name}:{number} {said}\n    {line}\n    got {seen.reply}; waiting {sorted(cook.waiting)}"
            continue
        said = line
        seen = _play(cook, line, f"{path.name}:{number}") or seen


def _play(cook: Cook, line: str, place: str) -> Seen | None:
    match line[0]:
        case ">":
            return cook.says(line[1:].strip())
        case "[":
            return cook.taps(line[1:-1])
        case "{":
            return cook.sends(Message("attachment"))
        case "+":
            return Seen(Reply(tuple(map(Text, cook.waits(float(line[1:]))))))
        case "-":
            cook.leave()
        case "(":
            cook.surface = VOICE if "voice" in line else SCREEN
        case _:
            raise AssertionError(f"{place}: unknown expectation {line!r}")
    return None
