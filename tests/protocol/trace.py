"""A run as a story: each step a sentence, with the ledger's row and the owners' lanes after it."""

from __future__ import annotations

from typing import Final

from tests.protocol.model import (
    AGE_GONE,
    Event,
    Process,
    State,
    Step,
)

__all__ = ["SENTENCES", "told"]

#: {p}: the process that acts; {m}, {t}, {q}: the subject, as a message, a turn or a process.
SENTENCES: Final = {
    "accept.ack": "{p} acknowledges {m}",
    "accept.commit": "{p}'s accept of {m} commits",
    "accept.lost": "{p}'s accept of {m} commits, but the reply is lost",
    "accept.refuse": "{p} refuses {m}",
    "accept.rolled_back": "{p}'s accept of {m} is rolled back, and the reply is lost",
    "ask": "a request comes to {p}, which may be told the reply of turn {t}",
    "beat": "{p} beats",
    "beat.commit": "{p}'s beat reaches the ledger",
    "beat.reply": "{p} reads the reply to its beat",
    "beat.send": "{p} sends a beat",
    "call.answer": "the assistant answers {p} on turn {t}; {p} sends the settle",
    "call.start": "{p} starts the call of turn {t}",
    "claim": "{p} claims the ownerless lane",
    "claim.lost": "{p} claims the ownerless lane, but the reply is lost",
    "call.answer.room": "the assistant answers {p} on turn {t}; {p} will send the reply itself, and sends the settle",
    "cont": "{p} goes on (SIGCONT)",
    "crash": "{p} dies (kill -9)",
    "declare": "{p} declares {q} dead",
    "deliver": "the platform delivers {m} to {p}",
    "direct.back": "{p} gives the reply of turn {t} back, as it did with one in front of it",
    "direct.finish": "{p} records that it has sent the reply of turn {t}",
    "direct.hear": "{p} hears of its settle who sends the reply",
    "direct.refused": "{p} finds no room for the reply of turn {t}, and gives it back",
    "direct.send": "{p} sends the reply of turn {t}, which it settled",
    "direct.stray": "{p} finds that it is sending the reply of turn {t}, of which it has not heard, and gives it back",
    "drain": "{p} is told to drain",
    "lane.bury": "{p} loads turn {t}, gives it up and sends the settle",
    "lane.drop": "{p} drops its lane, as it drains",
    "lane.load": "{p} loads the head, turn {t}",
    "lane.nothing": "{p} finds nothing of its own to run",
    "leave": "{p} signs off and exits",
    "pause": "{p} stops (SIGSTOP)",
    "reconcile": "{p} starts a lane that the ledger says is its own",
    "send": "{p} sends the reply of turn {t}",
    "send.claim": "{p} claims the reply of turn {t}",
    "send.claim.lost": "{p} claims the reply of turn {t}, but the answer is lost",
    "send.finish": "{p} records the outcome of the reply of turn {t}",
    "send.reclaim": "{p} finds the reply of turn {t} claimed by itself",
    "settle.commit": "{p}'s settle of turn {t} is executed",
    "settle.lost": "{p}'s settle of turn {t} is executed, but the reply is lost",
    "settle.reply": "{p} reads the reply to its settle of turn {t}",
    "settle.rolled_back": "{p}'s settle of turn {t} is rolled back, and the reply is lost",
    "suspect": "{p} sees that {q}'s beat is overdue",
    "tell": "{p}'s response tells the reply of turn {t}",
    "tell.cut": "{p}'s response tells the reply of turn {t}, and breaks off",
    "tell.drop": "{p} does not tell the reply of turn {t}: its lease is out, or it took it in a former life",
    "tell.finish": "{p} records what became of the reply of turn {t}",
    "tell.nothing": "{p} finds nothing to tell",
    "tell.put_off": "{p}'s response has no room for the reply of turn {t}",
    "tell.stray": "{p} finds the reply of turn {t} taken by itself, and gives it back",
    "tell.take": "{p} takes the reply of turn {t}, to tell it",
    "tell.take.lost": "{p} takes the reply of turn {t}, but the answer is lost",
    "tick": "time passes for {p}",
    "tick.late": "time passes for {p}, which has not beaten since",
    "tick.ledger": "the ledger's clock runs ahead of {p}'s",
}


def told(start: State, steps: tuple[Step, ...]) -> str:
    """Return a run as numbered lines; a line shows what changed beside the sentence."""
    lines = []
    before = _shown(start)
    for number, (event, state) in enumerate(steps, 1):
        shown = _shown(state)
        changes = [part for part in shown if part not in before]
        lines.append(f"{number:3}. {_sentence(event):<62} {'; '.join(changes)}".rstrip())
        before = shown
    return "\n".join(lines)


def _sentence(event: Event) -> str:
    return SENTENCES[event.kind].format(
        p=_name(event.process), q=_name(event.subject), m=f"message {_letter(event.subject)}", t=event.subject
    )


def _shown(state: State) -> list[str]:
    """Return the parts of a state that a reader follows."""
    ledger = state.ledger
    owner = "nobody" if ledger.owner is None else f"{_name(ledger.owner[0])} (epoch {ledger.owner[1]})"
    parts = [f"done {ledger.done_seq} of {ledger.last_seq}", f"owner {owner}, fence {ledger.fence}"]
    parts += [f"turn {turn.seq} is {_letter(turn.message)}" for turn in ledger.turns]
    parts += [f"turn {turn.seq} has seen {turn.attempts} deaths" for turn in ledger.turns if turn.attempts]
    parts += [f"reply {row.seq} {row.state}" for row in ledger.outbox]
    for index, (row, process) in enumerate(zip(ledger.rows, state.processes, strict=True)):
        if row.age:
            parts.append(f"{_name(index)}'s row: {'gone' if row.age == AGE_GONE else f'beat {row.age} old'}")
        parts += _process(_name(index), process)
    return parts


def _process(name: str, process: Process) -> list[str]:
    parts = []
    if process.epoch:
        parts.append(f"{name} now has epoch {process.epoch}")
    if process.lane:
        seq = f" turn {process.lane.seq}" if process.lane.seq else ""
        parts.append(f"{name}'s lane: {process.lane.phase}{seq} under fence {process.lane.fence}")
    elif process.up:
        parts.append(f"{name} runs no lane")
    return parts


def _name(index: int) -> str:
    return f"p{index + 1}"


def _letter(message: int) -> str:
    return chr(ord("A") + message)
