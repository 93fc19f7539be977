"""What became of a play: for a person, for a build server (JUnit's XML), for a program."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

import msgspec

from gateway.platforms.plays.performance import Outcome, State

__all__ = ["Performance", "junit", "summary"]


class Performance(msgspec.Struct, frozen=True):
    """A play on one channel, from its first step to its last."""

    play: str
    title: str
    channel: str
    account: str
    outcomes: tuple[Outcome, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing failed."""
        return all(outcome.state != "failed" for outcome in self.outcomes)


def summary(performances: Sequence[Performance]) -> str:
    """Return the last line of a report."""
    states = [outcome.state for one in performances for outcome in one.outcomes]
    failed = [one for one in performances if not one.is_well]
    plays = "1 play" if len(performances) == 1 else f"{len(performances)} plays"
    words: dict[State, str] = {
        "passed": "passed",
        "failed": "failed",
        "left_out": "left out",
        "not_played": "not played",
    }
    counts = ", ".join(f"{states.count(state)} {words[state]}" for state in words if states.count(state))
    verdict = f"{len(failed)} of {plays} failed" if failed else f"{plays} passed"
    return f"{verdict}; steps: {counts}."


def junit(performances: Sequence[Performance]) -> bytes:
    """Return the report in the form that build servers read."""
    root = ET.Element("testsuites", name="switchboard play")
    for one in performances:
        states = [outcome.state for outcome in one.outcomes]
        skipped = states.count("left_out") + states.count("not_played")
        suite = ET.SubElement(
            root,
            "testsuite",
            name=f"{one.play} on {one.channel}/{one.account}",
            tests=str(len(states)),
            failures=str(states.count("failed")),
            errors="0",
            skipped=str(skipped),
            time=f"{sum(outcome.took_s for outcome in one.outcomes):.3f}",
        )
        for number, outcome in enumerate(one.outcomes, 1):
            case = ET.SubElement(
                suite,
                "testcase",
                name=_storable(f"{number}. {outcome.step}"),
                classname=f"{one.play}.{one.channel}",
                time=f"{outcome.took_s:.3f}",
            )
            if outcome.state == "failed":
                failure = ET.SubElement(case, "failure", message=_storable(outcome.problem))
                seen = [f"after {each.after_s:g} s:\n{each.seen.text}" for each in outcome.watched]
                failure.text = _storable("\n\n".join([f"line {outcome.step.line}", *seen]))
            elif outcome.state != "passed":
                ET.SubElement(case, "skipped", message=_storable(", ".join(outcome.notes)))
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _storable(text: str) -> str:
    """Return *text* without the characters that XML cannot hold."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
