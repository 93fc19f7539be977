"""The rules of the ledger protocol, each a named switch with the reason why it is there.

``Rules()`` is the protocol as it is built. ``without("name")`` is the same protocol with one rule
taken out; ``test_explorer.py`` shows for every single one which promise breaks then. A rule whose
removal breaks nothing is not a rule and does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

__all__ = ["RULE_NAMES", "Rules", "why", "without"]


def _rule(reason: str) -> bool:
    """Declare a switch that is on, and keep its reason where a failing test can print it."""
    return field(default=True, metadata={"why": reason})


@dataclass(frozen=True, slots=True)
class Rules:
    """Every rule that the explorer can take out, in the order of a turn's life."""

    # Accept
    commit_before_ack: bool = _rule("A 2xx sent before COMMIT promises what a crash can still undo.")
    accept_asked_again: bool = _rule("Whether a COMMIT without a reply succeeded is asked, never guessed.")
    keys_insert_unique: bool = _rule("Only the unique insert knows who is first; a look is stale.")
    refusal_leaves_no_key: bool = _rule("A refused message must not make a duplicate of its own redelivery.")
    numbers_under_lock: bool = _rule("A number read before the row lock is given twice.")
    duplicates_take_no_number: bool = _rule("The lane waits for ever at a number that no turn has.")
    one_batch_per_conversation: bool = _rule("Two batches under way may swap their messages.")
    accept_takes_free_lane: bool = _rule("Nobody else is told of the turn: its accept starts the lane.")
    accept_takes_only_work: bool = _rule("A lane taken for a mere duplicate is held and never run.")
    accept_names_owner_of_duplicates: bool = _rule("Run again, it sees only duplicates, yet has their lane.")
    accept_raises_fence: bool = _rule("Under one fence a settle run again frees the new owner's lane.")
    death_is_declared: bool = _rule("An overdue owner may still beat; only one that lost its epoch is dead.")
    taking_checks_own_epoch: bool = _rule("A process already buried would own a lane that nobody frees.")

    # Lane
    grant_loads_head: bool = _rule("The message that brought the lane need not be the lane's next turn.")
    newer_grant_replaces_lane: bool = _rule("A lane that awaits its last settle's reply is not the new one.")
    head_loaded_under_fence: bool = _rule("The grant may be old: the lane may be freed and taken by now.")
    call_inside_lease: bool = _rule("A stopped process wakes up unaware that its lane was given away.")
    lease_from_before_send: bool = _rule("The ledger counts from the beat's arrival, not from its reply.")
    lease_margin: bool = _rule("Two clocks never run alike, and a check takes time to become a call.")

    # Settle
    settle_reads_locked_row: bool = _rule("A snapshot of `turns` from before the lock misses a new turn.")
    settle_checks_fence: bool = _rule("An owner that lost its lane must neither write nor free it.")
    settle_frees_idle_lane: bool = _rule("The next accept elsewhere would count on an owner that went idle.")
    kept_lane_is_owned: bool = _rule("A freed lane keeps its fence; run again, a settle finds it so.")
    settled_once: bool = _rule("A settle run again after a lost reply would write the answer twice.")
    settle_asked_again: bool = _rule("Going on after an unknown COMMIT can leave the turn behind.")

    # Death and takeover
    beat_checks_epoch: bool = _rule("A beat is where a process learns that it was declared dead.")
    reregistering_drops_lanes: bool = _rule("The new epoch's lease must not cover the old epoch's lanes.")
    declare_rechecks_beat: bool = _rule("The beat may have come between the reaper's look and its update.")
    death_frees_lanes: bool = _rule("Only ownerless lanes are looked for.")
    death_raises_fence: bool = _rule("The dead may only be asleep, with an answer in its hand.")
    death_counts_attempt: bool = _rule("Uncounted, a message that kills processes kills them all.")
    last_attempt_buries: bool = _rule("After so many deaths a turn is a dead letter, not called again.")
    sweep_claims_ownerless: bool = _rule("Nobody else will come for a lane whose owner died or left.")
    claim_raises_fence: bool = _rule("Under one fence a settle run again frees the claimer's lane.")
    reconcile_own_lanes: bool = _rule("A claim whose reply was lost owns a lane that nobody runs.")
    leaving_frees_lanes: bool = _rule("A process that left in order is never declared dead.")

    # Outbox
    reply_in_settle_commit: bool = _rule("A crash between two commits leaves an answered turn without reply.")
    lowest_row_first: bool = _rule("Two senders would overtake each other.")
    send_after_claim_commit: bool = _rule("Unclaimed, two senders send the same row.")
    send_inside_lease: bool = _rule("A sender that was given up on would send after its successors.")
    death_ends_sends: bool = _rule("A row left in `sending` blocks the conversation's replies for ever.")
    unknown_not_resent: bool = _rule("Nobody knows whether the dead sender's reply had arrived.")
    sender_finds_own_claims: bool = _rule("A claim whose reply was lost is a row that nobody sends.")
    claim_behind_own_only: bool = _rule("Who settles would overtake what waits for another sender.")
    back_takes_all_behind: bool = _rule("What is behind one that went back would overtake it.")
    room_outlives_rows: bool = _rule("A settle under way has claimed its reply behind one that went back since.")
    next_after_end: bool = _rule("Of what the dead had in its hands only the first is taken for sent.")

    # Kept for a later request
    telling_takes_the_row: bool = _rule("Untaken, two responses at once tell the same.")
    told_when_written: bool = _rule("What counts as told when it is taken is lost with whoever took it.")
    told_in_its_own_life: bool = _rule("What one that slept has in its hands is another's to tell by now.")
    telling_ends_its_own: bool = _rule("One that slept would end, or free, what another has told meanwhile.")
    retelling_is_marked: bool = _rule("Who heard it already takes it for another answer.")
    told_again_once: bool = _rule("Responses that break off could tell it without end.")
    strays_are_given_back: bool = _rule("What was taken by a lost answer is nobody's to tell.")


RULE_NAMES = tuple(rule.name for rule in fields(Rules))


def without(name: str) -> Rules:
    """Return the protocol with one rule taken out."""
    if name not in RULE_NAMES:
        raise ValueError(f"no such rule: {name}")
    return replace(Rules(), **{name: False})


def why(name: str) -> str:
    """Return the reason for a rule."""
    return str(next(rule.metadata["why"] for rule in fields(Rules) if rule.name == name))
