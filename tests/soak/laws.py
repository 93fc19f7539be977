"""What must be true of the evidence, whatever happened.  Each law yields (the message it is about, what is wrong)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from tests.soak.evidence import Evidence, Row
from tests.soak.peers import Asked
from tests.soak.said import WORD
from tests.support.calling import Answer
from tests.support.visitor import texts

__all__ = ["LAWS", "Violation"]

Violation = tuple[str, str]
#: Seconds after a pause's end in which a call may still arrive that was decided on before the pause.
_DECIDED_BEFORE_S = 2.0


def accepted_is_kept(evidence: Evidence) -> Iterator[Violation]:
    """Promise 1: what got a 2xx that accepts is one turn, and the turn has ended, as failed only with a reason."""
    for word, said in evidence.said.items():
        turns = evidence.turns_about.get(word, [])
        if said.accepted and not turns:
            yield word, "was accepted, and is not in the ledger"
        if len(turns) > 1:
            yield word, f"has {len(turns)} turns"
        for turn in turns:
            if turn["state"] == "accepted" or (turn["state"] == "failed" and not turn["reason"]):
                yield word, f"is {turn['state']} without an end or a reason"
    for letter in evidence.letters:
        if letter["kind"] == "delivery":
            yield "", f"a delivery became a dead letter: {letter}"


def lanes_have_no_gaps(evidence: Evidence) -> Iterator[Violation]:
    """Sequence numbers count from 1, in the order in which the one who speaks was told "accepted"."""
    lanes: dict[int, list[Row]] = defaultdict(list)
    for turn in evidence.turns:
        lanes[turn["conversation_id"]].append(turn)
    for conversation_id, turns in lanes.items():
        conversation = evidence.conversations[conversation_id]
        last = len(turns)
        word = turns[-1]["message"]["text"]
        if [turn["seq"] for turn in turns] != list(range(1, last + 1)):
            yield word, "the sequence has gaps"
        if (conversation["last_seq"], conversation["done_seq"]) != (last, last):
            yield word, f"{last} turns, but {conversation}"
        if conversation["owner_process"] is not None or conversation["orphaned"]:
            yield word, "the lane has no work, and an owner or the mark of an orphan"
        told = [evidence.said[turn["message"]["text"]] for turn in turns]
        # One whose sender was told "please try again" had his word, and may have come in later by a repeat.
        for first, second in pairwise(said for said in told if not said.excused):
            if first.lane != second.lane or first.place >= second.place:
                yield second.word, f"was said after {first.word}, and comes before it in the lane"


def turns_are_asked_in_order(evidence: Evidence) -> Iterator[Violation]:
    """Promise 2: one call at a time under a fence, in the order of the lane; again only as a higher attempt under a
    higher fence; what a former owner still asks was decided on before it stood still."""
    lanes: dict[int, list[Asked]] = defaultdict(list)
    for call in evidence.asked:
        lanes[call.conversation_id].append(call)
    for calls in lanes.values():
        newest = calls[0]
        for call in calls[1:]:
            if call.fence < newest.fence:
                if not any(0 <= call.arrived - at < _DECIDED_BEFORE_S for at in evidence.resumed):
                    yield call.word, f"a former owner asks: {call} after {newest}"
                continue
            if call.fence == newest.fence and call.arrived < newest.ended:
                yield call.word, f"two calls at once: {call} during {newest}"
            if call.seq < newest.seq or (call.fence == newest.fence and call.seq == newest.seq):
                yield call.word, f"out of order: {call} after {newest}"
            if call.seq == newest.seq and call.attempt <= newest.attempt:
                yield call.word, f"the same attempt again: {call} after {newest}"
            newest = call


def settled_is_what_the_owner_was_told(evidence: Evidence) -> Iterator[Violation]:
    """The settled reply is the answer to a call of this turn, made under the fence under which it was settled."""
    for turn in evidence.turns:
        if turn["state"] != "answered":
            continue
        word = turn["message"]["text"]
        found = WORD.fullmatch(evidence.reply(turn))
        if found is None or found[1] != word or found[2] is None:
            yield word, f"was answered with {evidence.reply(turn)!r}"
        elif evidence.asked[int(found[2])].fence != turn["settled_fence"]:
            yield word, "an answer to another owner was settled"


def everybody_is_told_the_same(evidence: Evidence) -> Iterator[Violation]:
    """Promise 3: whoever got an answer in a response got the settled one, however often the message was sent."""
    for word, said in evidence.said.items():
        for turn in evidence.turns_about.get(word, []):
            for answer in said.accepted:
                told = _told(answer)
                if told and turn["state"] == "answered" and told != evidence.reply(turn):
                    yield word, f"was told {told!r}, settled is {evidence.reply(turn)!r}"


def nobody_is_told_twice(evidence: Evidence) -> Iterator[Violation]:
    """Whoever asked once was not given in the response what was also pushed: a repeat alone is told again."""
    pushed = {row["turn_id"] for row in evidence.outbox if row["kind"] == "push" and row["state"] == "sent"}
    for word, said in evidence.said.items():
        if len(said.tries) == 1 and any(_told(answer) for answer in said.accepted):
            for turn in evidence.turns_about.get(word, []):
                if turn["id"] in pushed:
                    yield word, "was told in the response, and once more by a push"


def _told(answer: Answer) -> str:
    if not answer.body or answer.status != 200:
        return ""
    return "".join(texts(answer)) if b'"parts"' in answer.body else answer.json["text"]


def sends_have_an_end(evidence: Evidence) -> Iterator[Violation]:
    """Every reply that is to be sent is one row, and the row has an end; unknown and not_sent have a dead letter."""
    rows = Counter(row["turn_id"] for row in evidence.outbox)
    lettered = {letter["outbox_id"] for letter in evidence.letters}
    for turn in evidence.turns:
        wanted = int(turn["surface"] in {"event", "command"})
        if rows[turn["id"]] != wanted:
            yield turn["message"]["text"], f"has {rows[turn['id']]} outbox rows"
    for row in evidence.outbox:
        word = evidence.by_id[row["turn_id"]]["message"]["text"]
        if row["state"] not in {"sent", "not_sent", "unknown"}:
            yield word, f"the outbox row is {row['state']}"
        elif row["state"] != "sent" and row["id"] not in lettered:
            yield word, f"the outbox row is {row['state']} without a dead letter"


def posts_are_what_the_rows_say(evidence: Evidence) -> Iterator[Violation]:
    """Promise 4: a row that was pushed and is sent is one post, an unknown one at most one, any other none."""
    posts = Counter((post.place, post.text) for post in evidence.posted)
    certain: Counter[tuple[str, str]] = Counter()
    possible: Counter[tuple[str, str]] = Counter()
    for row in evidence.outbox:
        if row["kind"] == "push" and row["state"] in {"sent", "unknown"}:
            kind = certain if row["state"] == "sent" else possible
            kind[_place(row), row["payload"]["body"]["text"]] += 1
    for key in posts | certain:
        if not certain[key] <= posts[key] <= certain[key] + possible[key]:
            word = evidence.word_of(key[1])
            yield word, f"{key}: {posts[key]} posts, {certain[key]} rows sent, {possible[key]} unknown"


def posts_are_in_order(evidence: Evidence) -> Iterator[Violation]:
    """Replies of a conversation reach its channel in the order of its turns."""
    arrived = {(post.place, post.text): at for at, post in enumerate(evidence.posted)}
    last: dict[int, tuple[int, str]] = {}
    for row in evidence.outbox:
        key = _place(row), row["payload"]["body"]["text"]
        word = evidence.word_of(key[1])
        # An apology is like any other: which of them came when cannot be told.
        if row["kind"] != "push" or row["state"] != "sent" or not word or key not in arrived:
            continue
        before, other = last.get(row["conversation_id"], (-1, ""))
        if arrived[key] < before:
            yield word, f"was posted before {other}"
        last[row["conversation_id"]] = arrived[key], word


def _place(row: Row) -> str:
    payload = row["payload"]
    if payload["via"] == "response_url":
        return "/" + payload["url"].split("/", 3)[3]
    return str(payload["body"]["channel"])


#: Events of the log that mean a mistake of our own, whatever happens to processes and stores.
_MISTAKES = (
    "turn.crashed",
    "delivery.crashed",
    "request.crashed",
    "send.crashed",
    "greenlet.crashed",
    "supervisor.restarted",
    "supervisor.gave_up",
    "batch.split",
    "Traceback",
)


def our_own_code_does_not_fail(evidence: Evidence) -> Iterator[Violation]:
    """Stores and processes that go away are no surprise to it."""
    for line in evidence.log_lines(*_MISTAKES):
        yield "", line


LAWS: tuple[Callable[[Evidence], Iterator[Violation]], ...] = (
    accepted_is_kept,
    lanes_have_no_gaps,
    turns_are_asked_in_order,
    settled_is_what_the_owner_was_told,
    everybody_is_told_the_same,
    nobody_is_told_twice,
    sends_have_an_end,
    posts_are_what_the_rows_say,
    posts_are_in_order,
    our_own_code_does_not_fail,
)
