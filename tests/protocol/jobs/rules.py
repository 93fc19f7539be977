"""The rules of the jobs protocol, each a named switch with the reason why it is there.

As in ``tests.protocol.rules``: a rule whose removal breaks nothing is not a rule and does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

__all__ = ["RULE_NAMES", "Rules", "why", "without"]


def _rule(reason: str) -> bool:
    """Declare a switch that is on, and keep its reason where a failing test can print it."""
    return field(default=True, metadata={"why": reason})


@dataclass(frozen=True, slots=True)
class Rules:
    """Every rule that the explorer can take out, in the order of a job's life."""

    # Looks
    xid_before_place: bool = _rule(
        "A place drawn without a number belongs to a writer that no look knows of."
    )
    looks_begin_at_floor: bool = _rule(
        "From the mark on, a job is seen whose predecessor committed below it."
    )
    floor_awaits_writers: bool = _rule("Whoever drew a lower place may still be about to commit.")
    low_before_look: bool = _rule("A writer that ended between look and question was not seen by the look.")
    high_is_drawn: bool = _rule(
        "The end of a snapshot says what had ended: a writer above it may have begun."
    )
    cut_look_proves_less: bool = _rule("Behind its last place a look that was cut has seen nothing.")
    ends_while_reading: bool = _rule("A look from before a settle's commit may arrive after it was told.")
    look_is_of_its_fence: bool = _rule("What was read under an older fence may be settled by others since.")
    known_by_place: bool = _rule("A snoozed job may be read anew before its old end was told.")
    spill_keeps_its_floor: bool = _rule("The marks' floor moves by looks that leave spilled lanes out.")
    refill_begins_at_floor: bool = _rule(
        "From its last place on, a lane shows a job without its predecessor."
    )
    sleeping_lane_is_known: bool = _rule("Forgotten, a lane whose head waits goes on with what is behind it.")
    held_is_read_as_held: bool = _rule("A new owner must not start what failed a moment ago elsewhere.")

    # Starts and ends
    start_inside_lease: bool = _rule("A stopped worker wakes up unaware that its partition was given away.")
    lane_runs_one: bool = _rule("Two jobs of a lane at once have no order.")
    start_after_settle: bool = _rule("A lane that went on before the commit runs backward after a death.")
    retry_holds_lane: bool = _rule("A failed head that is passed by is out of order.")
    runs_end_with_lease: bool = _rule("What runs on outside the lease runs beside its successor.")
    settle_checks_fence: bool = _rule("An owner that lost its partition ends jobs that another one runs.")
    settle_names_place: bool = _rule("Run again after a lost reply, it would end the job's next stay.")
    settle_asked_again: bool = _rule("Whether a COMMIT without a reply succeeded is asked, never guessed.")
    snooze_takes_new_place: bool = _rule("Its old place is below the floor: nobody looks there again.")

    # Ownership
    new_owner_new_fence: bool = _rule("Under one fence a settle on its way is good for an owner to come.")
    taking_checks_own_epoch: bool = _rule("A worker already buried would own a partition that nobody frees.")
    owned_is_compared: bool = _rule("A take whose reply was lost owns a partition that nobody reads.")
    release_only_when_empty: bool = _rule("The next owner runs what still runs here.")
    release_stops_starts: bool = _rule(
        "With the release on its way, what is started runs in another's partition."
    )
    release_asked_again: bool = _rule("A release without a reply may have succeeded.")
    new_owner_reads_anew: bool = _rule(
        "The marks of an earlier ownership say nothing of what it left undone."
    )
    beat_checks_epoch: bool = _rule("A beat is where a worker learns that it was declared dead.")
    new_epoch_drops_all: bool = _rule("The new epoch's lease must not cover the old epoch's partitions.")
    death_frees_partition: bool = _rule("Only partitions without an owner are taken.")

    # Deaths
    look_is_claimed: bool = _rule("Nobody else knows what a dead worker had in its hands.")
    death_is_counted: bool = _rule("Uncounted, a job that kills workers kills them all.")
    last_death_buries: bool = _rule("After so many deaths a job is a dead letter, not run again.")
    death_counts_heads: bool = _rule("Behind a head that waits for its next try nothing was running.")
    death_counts_no_lane_asleep: bool = _rule("Nobody claims a head that is put down, and it holds its lane.")
    death_counts_own_partition: bool = _rule(
        "What was given back is in another's hands; old claims still name it."
    )
    suspect_is_marked: bool = _rule("A suspect that was only read has not killed anybody.")
    mark_ends_with_settle: bool = _rule(
        "Marked since an earlier run, it takes the next death, whoever caused it."
    )
    suspects_run_alone: bool = _rule("Of two suspects nobody knows which one it was.")


RULE_NAMES = tuple(rule.name for rule in fields(Rules))


def without(name: str) -> Rules:
    """Return the protocol with one rule taken out."""
    if name not in RULE_NAMES:
        raise ValueError(f"no such rule: {name}")
    return replace(Rules(), **{name: False})


def why(name: str) -> str:
    """Return the reason for a rule."""
    return str(next(rule.metadata["why"] for rule in fields(Rules) if rule.name == name))
