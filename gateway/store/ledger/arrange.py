"""Puts a batch of arrivals into the parallel arrays that ``ledger_accept`` takes.  Pure.

Within the batch, arrivals that share a dedupe key are one message: the first is written, with the keys of all, and the
others take its result.  Keys, lanes and users are sorted, so that batches of two processes lock them in one order.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.domain.message import Inbound

__all__ = ["Arrangement", "Arrival", "arrange"]

_encode = msgspec.json.encode


class Arrival(msgspec.Struct, frozen=True):
    """A message as it came, with the account that it came to and the trace that it starts."""

    channel: str
    account: str
    inbound: Inbound
    trace_id: str


class Arrangement(msgspec.Struct):
    """The arrays, in the order of ``ledger_accept``'s parameters, and who shares whose result."""

    #: For each arrival: the message (from 0) whose result is its own.
    message_of: list[int]
    #: For each message: the arrival that it was made from.
    arrival_of: list[int]
    dedupe_keys: list[str]
    dedupe_m: list[int]
    lane_channels: list[str]
    lane_accounts: list[str]
    lane_keys: list[str]
    user_c: list[int]
    user_keys: list[str]
    user_names: list[str]
    user_locales: list[str]
    message_c: list[int]
    message_u: list[int]
    surfaces: list[str]
    addresses: list[str]
    messages: list[str]
    trace_ids: list[str]


def arrange(arrivals: Sequence[Arrival]) -> Arrangement:
    """Return the batch in array form."""
    message_of, arrival_of, key_owner = _merge_twins(arrivals)
    keys = sorted(key_owner)
    firsts = [arrivals[index] for index in arrival_of]

    lanes = sorted({(a.channel, a.account, a.inbound.conversation_key) for a in firsts})
    lane_at = {lane: index for index, lane in enumerate(lanes, 1)}
    senders = {(a.channel, a.account, a.inbound.sender.key): a for a in firsts}
    users = sorted(senders)
    user_at = {user: index for index, user in enumerate(users, 1)}
    lane_of_user = [senders[user] for user in users]

    return Arrangement(
        message_of=message_of,
        arrival_of=arrival_of,
        dedupe_keys=keys,
        dedupe_m=[key_owner[key] + 1 for key in keys],
        lane_channels=[lane[0] for lane in lanes],
        lane_accounts=[lane[1] for lane in lanes],
        lane_keys=[lane[2] for lane in lanes],
        user_c=[lane_at[a.channel, a.account, a.inbound.conversation_key] for a in lane_of_user],
        user_keys=[user[2] for user in users],
        user_names=[a.inbound.sender.name for a in lane_of_user],
        user_locales=[a.inbound.sender.locale for a in lane_of_user],
        message_c=[lane_at[a.channel, a.account, a.inbound.conversation_key] for a in firsts],
        message_u=[user_at[a.channel, a.account, a.inbound.sender.key] for a in firsts],
        surfaces=[a.inbound.surface for a in firsts],
        addresses=[_encode(a.inbound.address).decode() for a in firsts],
        messages=[_encode(a.inbound.message).decode() for a in firsts],
        trace_ids=[a.trace_id for a in firsts],
    )


def _merge_twins(arrivals: Sequence[Arrival]) -> tuple[list[int], list[int], dict[str, int]]:
    """Return message by arrival, arrival by message, and message by dedupe key."""
    message_of: list[int] = []
    arrival_of: list[int] = []
    key_owner: dict[str, int] = {}
    for index, arrival in enumerate(arrivals):
        scope = f"{arrival.channel}/{arrival.account}/"
        keys = [scope + key for key in arrival.inbound.dedupe_keys]
        message = next((key_owner[key] for key in keys if key in key_owner), None)
        if message is None:
            message = len(arrival_of)
            arrival_of.append(index)
        for key in keys:
            key_owner.setdefault(key, message)
        message_of.append(message)
    return message_of, arrival_of, key_owner
