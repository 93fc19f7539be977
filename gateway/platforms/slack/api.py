"""What Slack is called for: ``chat.postMessage`` and the response URLs of its deliveries.

Refused in its words: no token or a wrong one, a channel that is none, a message of nothing, blocks beyond its limits,
a response URL that is older than half an hour.
"""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import unquote

import msgspec

from gateway.platforms.base import Answer, Call, Served, json_answer
from gateway.platforms.slack.blocks import refused, shown
from gateway.platforms.slack.deliveries import timestamp
from gateway.settings.accounts import SlackAccount

__all__ = ["served"]

_CHANNEL_KINDS = ("C", "D", "G", "U")
_RESPONSE_URL_AGE_S_MAX = 1_800


def served(account: SlackAccount, call: Call) -> Served:
    """Return what Slack says to *call*, and shows because of it."""
    if call.method != "POST":
        return Served(json_answer({"ok": False, "error": "invalid_post_type"}, 405))
    if call.path == "/api/chat.postMessage":
        return _posted(account, call)
    if call.path == "/api/auth.test":
        return Served(_unauthorized(account, call) or json_answer({"ok": True, "team": "trial", "bot_id": "B0TRIAL"}))
    match call.path.split("/"):
        case ["", "respond", place, number] if number.isdigit():
            return _responded(call, unquote(place), int(number))
    return Served(_error("unknown_method"))


def _posted(account: SlackAccount, call: Call) -> Served:
    if refusal := _unauthorized(account, call):
        return Served(refusal)
    if not call.headers.get("content-type", "").startswith("application/json"):
        return Served(_error("invalid_post_type"))
    body = _decoded(call.body)
    if body is None:
        return Served(_error("invalid_json"))
    channel, thread_ts = body.get("channel"), body.get("thread_ts")
    if not isinstance(channel, str) or not channel.startswith(_CHANNEL_KINDS):
        return Served(_error("channel_not_found"))
    if problem := refused(body):
        return Served(_error(problem))
    ts = timestamp(call.at_s, call.number)
    answer = json_answer({"ok": True, "channel": channel, "ts": ts, "message": {"type": "message", "ts": ts}})
    place = f"{channel}:{thread_ts}" if thread_ts else channel
    return Served(answer, place, (shown(body, ts=ts, ephemeral=False),), _speaker(account, call))


def _responded(call: Call, place: str, number: int) -> Served:
    if call.at_s - number / 1_000_000 > _RESPONSE_URL_AGE_S_MAX:
        return Served(json_answer({"ok": False, "error": "expired_url"}, 404))
    body = _decoded(call.body)
    if body is None:
        return Served(json_answer({"ok": False, "error": "invalid_payload"}, 400))
    if problem := refused(body):
        return Served(json_answer({"ok": False, "error": problem}, 400))
    ts = timestamp(call.at_s, call.number)
    ephemeral = body.get("response_type") != "in_channel"
    return Served(Answer(200, b"ok", {"content-type": "text/plain"}), place, (shown(body, ts=ts, ephemeral=ephemeral),))


def _unauthorized(account: SlackAccount, call: Call) -> Answer | None:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return _error("not_authed")
    ours = [account.bot_token, *(each.bot_token for each in account.workspaces.values())]
    if not any(hmac.compare_digest(token.encode(), each.reveal_bytes()) for each in ours):
        return _error("invalid_auth")
    return None


def _speaker(account: SlackAccount, call: Call) -> str:
    """Return the account of the workspace whose token the call bears; none: the app is in one workspace alone."""
    token = call.headers.get("authorization", "").partition(" ")[2].encode()
    for team_id, own in account.workspaces.items():
        if hmac.compare_digest(token, own.bot_token.reveal_bytes()):
            return account.workspace_name(team_id)
    return ""


def _decoded(body: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _error(word: str) -> Answer:
    # The Web API says what is wrong in a 200.
    return json_answer({"ok": False, "error": word})
