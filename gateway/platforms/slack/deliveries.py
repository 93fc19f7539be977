"""What Slack sends: the bodies, and the signature that proves them."""

from __future__ import annotations

import hmac
from typing import Self
from urllib.parse import quote, urlencode

import msgspec

from gateway.platforms.base import Control, Delivery, Scene, Signed, Unprovable, digits, letters
from gateway.settings.accounts import SlackAccount

__all__ = ["BOT_USER", "Room", "command", "event", "is_command", "is_tap", "signed", "tap", "timestamp"]

BOT_USER = "U0SWITCHBD"
_FORM = "application/x-www-form-urlencoded"
#: What Slack gives as the reason of a redelivery; the real one says what it met.
_RETRY_REASON = "http_timeout"


class Room(msgspec.Struct, frozen=True):
    """Where in Slack a scene plays."""

    team: str
    channel: str
    thread_ts: str

    @classmethod
    def of(cls, scene: Scene, account: SlackAccount) -> Self:
        """Return the room of *scene*: the channel that two share, or the one of everybody; a thread has a root's ts.

        An account that stands for one of several workspaces has the team's id behind the dot of its name.
        """
        shared = "C" + letters(f"general {scene.room}".rstrip(), 10)
        channel = shared if scene.group else "D" + letters(f"im {scene.user}", 10)
        thread_ts = f"{digits(f'thread {scene.thread}', 10)}.{digits(scene.thread, 6)}" if scene.thread else ""
        team = account.name.partition(".")[2] or "T" + letters("team", 8)
        return cls(team, channel, thread_ts)

    @property
    def place(self) -> str:
        """The conversation, by the names that chat.postMessage is given."""
        return f"{self.channel}:{self.thread_ts}" if self.thread_ts else self.channel


def event(account: SlackAccount, scene: Scene, text: str, *, twin: bool = False) -> Delivery:
    """Return a message of the user's; its *twin* is the ``app_mention`` of the same text."""
    room, ts = Room.of(scene, account), timestamp(scene.at_s, scene.number)
    said = f"<@{BOT_USER}> {_escape(text)}" if scene.group else _escape(text)
    fields = {
        "type": "app_mention" if twin else "message",
        "user": _user(scene),
        "text": said,
        "ts": ts,
        "event_ts": ts,
        "channel": room.channel,
        "team": room.team,
        **({} if twin else {"channel_type": "channel" if scene.group else "im"}),
        **({"thread_ts": room.thread_ts} if room.thread_ts else {}),
    }
    body = {
        "token": "deprecated",
        "team_id": room.team,
        "api_app_id": "A" + letters(account.name, 9),
        "event": fields,
        "type": "event_callback",
        "event_id": f"Ev{scene.number:X}{'B' if twin else 'A'}",
        "event_time": int(scene.at_s),
        "authorizations": [
            {"enterprise_id": None, "team_id": room.team, "user_id": BOT_USER, "is_bot": True},
        ],
        "is_ext_shared_channel": False,
    }
    return Delivery(msgspec.json.encode(body), _hook(account))


def command(account: SlackAccount, scene: Scene, text: str) -> Delivery:
    """Return a slash command: its word, and what stands behind it."""
    room = Room.of(scene, account)
    word, _, rest = text.partition(" ")
    form = {
        "token": "deprecated",
        "team_id": room.team,
        "team_domain": "trial",
        "channel_id": room.channel,
        "channel_name": "general" if scene.group else "directmessage",
        "user_id": _user(scene),
        "user_name": scene.user,
        "command": word,
        "text": _escape(rest.strip()),
        "api_app_id": "A" + letters(account.name, 9),
        "response_url": _response_url(account, scene, room),
        "trigger_id": f"{scene.number}.trial",
    }
    return Delivery(urlencode(form).encode(), _hook(account), _FORM)


def tap(account: SlackAccount, scene: Scene, control: Control) -> Delivery:
    """Return what Slack tells of a tap on *control*."""
    room = Room.of(scene, account)
    token = control.token
    ts = token.get("message_ts") or timestamp(scene.at_s, scene.number)
    container = {"type": "message", "message_ts": ts, "channel_id": room.channel, "is_ephemeral": token["ephemeral"]}
    message = {"type": "message", "user": BOT_USER, "text": "", "ts": ts}
    if room.thread_ts:
        container["thread_ts"] = message["thread_ts"] = room.thread_ts
    payload = {
        "type": "block_actions",
        "team": {"id": room.team, "domain": "trial"},
        "user": {"id": _user(scene), "username": scene.user, "team_id": room.team},
        "api_app_id": "A" + letters(account.name, 9),
        "container": container,
        "trigger_id": f"{scene.number}.trial",
        "channel": {"id": room.channel, "name": "general" if scene.group else "directmessage"},
        **({} if token["ephemeral"] else {"message": message}),
        "response_url": _response_url(account, scene, room),
        "actions": [{**token["action"], "action_ts": timestamp(scene.at_s, scene.number)}],
    }
    return Delivery(urlencode({"payload": msgspec.json.encode(payload).decode()}).encode(), _hook(account), _FORM)


def signed(account: SlackAccount, delivery: Delivery, *, at_s: float, repeat: int) -> Signed:
    """Return *delivery* signed: HMAC-SHA256 over version, time and body, with the newest secret."""
    secret = next((each for each in account.signing_secrets if each.reveal().strip()), None)
    if secret is None:
        raise Unprovable(f"accounts.slack.{account.name}.signing_secrets is empty")
    sent_at = str(int(at_s))
    base = b"v0:" + sent_at.encode() + b":" + delivery.body
    headers = {
        "Content-Type": delivery.content_type,
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": sent_at,
        "X-Slack-Signature": "v0=" + hmac.new(secret.reveal_bytes(), base, "sha256").hexdigest(),
    }
    if repeat:
        headers |= {"X-Slack-Retry-Num": str(repeat), "X-Slack-Retry-Reason": _RETRY_REASON}
    return Signed(delivery.path, headers, delivery.body)


def is_command(delivery: Delivery) -> bool:
    """Return whether *delivery* is a slash command."""
    return delivery.content_type == _FORM and not delivery.body.startswith(b"payload=")


def is_tap(delivery: Delivery) -> bool:
    """Return whether *delivery* tells of a tap."""
    return delivery.content_type == _FORM and delivery.body.startswith(b"payload=")


def timestamp(at_s: float, number: int) -> str:
    """Return the name of a message: its second, and a number that no other of that second has."""
    return f"{int(at_s)}.{number % 1_000_000:06d}"


def _hook(account: SlackAccount) -> str:
    # One address for all workspaces of an app.
    return f"/hooks/slack/{account.name.partition('.')[0]}"


def _user(scene: Scene) -> str:
    return "U" + letters(f"user {scene.user}", 10)


def _response_url(account: SlackAccount, scene: Scene, room: Room) -> str:
    return f"{scene.origin}/slack/{account.name}/respond/{quote(room.place)}/{scene.number}"


def _escape(text: str) -> str:
    """Return what Slack makes of what somebody types: three characters are its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
