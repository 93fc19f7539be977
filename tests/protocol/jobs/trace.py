"""A run as a story: each step a sentence, with what it changed in the ledger and in the workers."""

from __future__ import annotations

from typing import Final

from tests.protocol.jobs.model import AGE_GONE, Event, JobState, Process, Row, State, Step

__all__ = ["SENTENCES", "told"]

#: {p}: the worker that acts; {j}, {q}, {l}: the subject, as a job, a worker or a lane.
SENTENCES: Final = {
    "ask": "somebody asks for {j}",
    "ask.place": "the transaction of {j} draws its place",
    "ask.commit": "{j} is committed",
    "beat": "{p} beats",
    "compare": "{p} finds that the partition is its own",
    "cont": "{p} goes on (SIGCONT)",
    "crash": "{p} dies (kill -9)",
    "declare": "{p} declares {q} dead",
    "due": "{j} may be tried again",
    "end": "{j} ends in {p}, which sends the settle",
    "give up": "{p} gives {j} up and sends the settle",
    "kill": "{p} ends {j}, as its lease has run out",
    "look": "{p} looks from its floor on",
    "look.lost": "{p} looks, but the reply is lost",
    "look.mark": "{p} looks from its mark on",
    "look.reply": "{p} reads the reply to its look",
    "mark": "{p} marks {j} as about to be started",
    "move": "{p} is to give the partition back",
    "pause": "{p} stops (SIGSTOP)",
    "promote": "{j} is due and joins its lane anew",
    "refill": "{p} looks at lane {l}",
    "release": "{p}'s release is executed",
    "release.lost": "{p}'s release is executed, but the reply is lost",
    "release.reply": "{p} reads the reply to its release",
    "settle": "{p}'s settle of {j} is executed",
    "settle.given_up": "{p} gives its settle of {j} up, and sends it again",
    "settle.lost": "{p}'s settle of {j} is executed, but the reply is lost",
    "settle.reply": "{p} reads the reply to its settle of {j}",
    "settle.stray": "the settle of {j} that {p} gave up is executed",
    "sleep": "{p} forgets the lane of {j} but for its name",
    "start": "{p} starts {j}",
    "take": "{p} takes the partition",
    "take.lost": "{p} takes the partition, but the reply is lost",
    "tick": "time passes for {p}",
    "tick.late": "time passes for {p}, which has not beaten since",
}


def told(start: State, steps: tuple[Step, ...]) -> str:
    """Return a run as numbered lines; a line shows what changed beside the sentence."""
    lines = []
    before = _shown(start)
    for number, (event, state) in enumerate(steps, 1):
        shown = _shown(state)
        changes = [part for part in shown if part not in before]
        lines.append(f"{number:3}. {_sentence(event):<50} {'; '.join(changes)}".rstrip())
        before = shown
    return "\n".join(lines)


def _sentence(event: Event) -> str:
    return SENTENCES[event.kind].format(
        p=_name(event.process), q=_name(event.subject), j=_job(event.subject), l=event.subject
    )


def _shown(state: State) -> list[str]:
    """Return the parts of a state that a reader follows."""
    ledger = state.ledger
    owner = "nobody" if ledger.owner is None else f"{_name(ledger.owner[0])} (epoch {ledger.owner[1]})"
    parts = [f"owner {owner}, fence {ledger.fence}"]
    for job, row in enumerate(ledger.rows):
        parts += _row(_job(job), row)
    for index, (row, process) in enumerate(zip(ledger.processes, state.processes, strict=True)):
        if row.age:
            parts.append(f"{_name(index)}'s row: {'gone' if row.age == AGE_GONE else f'beat {row.age} old'}")
        parts += _process(_name(index), process)
    return parts


def _row(name: str, row: Row) -> list[str]:
    parts = []
    if row.state != JobState.UNASKED:
        at = f" at place {row.place}" if row.place else ""
        parts.append(f"{name} {row.state}{at}{', not due' if row.held else ''}")
    if row.deaths:
        parts.append(f"{name} has seen {row.deaths} deaths")
    return parts


def _process(name: str, process: Process) -> list[str]:
    parts = [f"{name} has epoch {process.epoch}"] if process.epoch else []
    if process.fence:
        parts.append(f"{name}: fence {process.fence}, floor {process.marks.floor}, mark {process.marks.mark}")
    if process.look is not None:
        found = ", ".join(f"{_job(read.job)} at {read.place}" for read in process.look.rows) or "nothing"
        parts.append(f"on its way to {name}: {found}")
    parts += [f"{name} has {_job(e.job)} {e.phase}" for e in process.memory]
    parts += [f"{name} knows that lane {spill.lane} goes on behind {spill.behind}" for spill in process.spills]
    return parts


def _name(index: int) -> str:
    return f"w{index + 1}"


def _job(job: int) -> str:
    return f"job {chr(ord('A') + job)}"
