"""Slack: messages to a bot in its direct channel, slash commands, redeliveries; chat.postMessage and response URLs.

https://docs.slack.dev: apis/events-api, interactivity/implementing-slash-commands,
authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hmac
from urllib.parse import quote, unquote, urlencode

import msgspec

from bench.locust.platforms.delivery import Call, Delivery, json_answer

__all__ = ["Slack"]

_TEAM, _BOT = "T0LOADTEST", "U0LOADBOT"
_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"
_FORM = "application/x-www-form-urlencoded"
_RESPOND = "/slack/respond/"


class _Posted(msgspec.Struct):
    channel: str
    text: str = ""


class _Responded(msgspec.Struct):
    text: str = ""


class Slack(msgspec.Struct, frozen=True, kw_only=True):
    """An app, as Slack knows it."""

    account: str
    signing_secret: str
    #: Of calls to ``chat.postMessage``; empty: any is taken.
    bot_token: str = ""
    #: Root of the addresses that commands may be answered at: the stand-in's.
    stand_in: str = ""

    def message(self, person: int, number: int, text: str, at_s: float) -> Delivery:
        """Return what *person* says to the bot; *number* is in the names that Slack gives to a message."""
        channel, user, ts = f"D{person}", f"U{person}", f"{int(at_s)}.{number % 1_000_000:06d}"
        event = {
            "type": "message", "user": user, "text": text, "ts": ts, "event_ts": ts, "channel": channel,
            "channel_type": "im", "team": _TEAM, "client_msg_id": f"b4d0c3f2-9c1e-4d52-8a61-{number % 10**12:012d}",
            "blocks": [
                {
                    "type": "rich_text",
                    "block_id": str(number),
                    "elements": [
                        {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]},
                    ],
                }
            ],
        }  # fmt: skip
        body = {
            "token": "deprecated", "team_id": _TEAM, "context_team_id": _TEAM, "context_enterprise_id": None,
            "api_app_id": "A0LOADTEST", "event": event, "type": "event_callback", "event_id": f"Ev{number}",
            "event_time": int(at_s), "is_ext_shared_channel": False, "event_context": f"4-load-{number}",
            "authorizations": [
                {"enterprise_id": None, "team_id": _TEAM, "user_id": _BOT, "is_bot": True,
                 "is_enterprise_install": False},
            ],
        }  # fmt: skip
        return self._signed(channel, msgspec.json.encode(body), "application/json", at_s)

    def command(self, person: int, number: int, text: str, at_s: float) -> Delivery:
        """Return ``/order``, with *text* behind it."""
        channel = f"D{person}"
        form = {
            "token": "deprecated", "team_id": _TEAM, "team_domain": "load", "channel_id": channel,
            "channel_name": "directmessage", "user_id": f"U{person}", "user_name": f"u{person}", "command": "/order",
            "text": text, "api_app_id": "A0LOADTEST", "trigger_id": f"{number}.load",
            "response_url": f"{self.stand_in}{_RESPOND}{quote(channel)}/{number}",
        }  # fmt: skip
        return self._signed(channel, urlencode(form).encode(), _FORM, at_s)

    def again(self, delivery: Delivery, retry: int, at_s: float) -> Delivery:
        """Return *delivery* as Slack makes it once more: the same bytes, a proof of their own."""
        anew = self._signed(delivery.place, delivery.body, delivery.headers["Content-Type"], at_s)
        retried = {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"}
        return msgspec.structs.replace(anew, headers={**anew.headers, **retried})

    def answered(self, body: bytes) -> str:
        """Return what the user of a command reads in its response; nothing if the answer comes later."""
        return msgspec.json.decode(body, type=_Responded).text if body.strip() else ""

    def called(self, method: str, path: str, head: bytes, body: bytes) -> Call | None:
        """Return what Slack says to a call, or None: it is not for Slack."""
        if path == "/api/chat.postMessage":
            if self.bot_token and f"Bearer {self.bot_token}".encode() not in head:
                wrong = "without the bot_token of the account: see LOAD_SLACK_BOT_TOKEN"
                return Call(json_answer({"ok": False, "error": "invalid_auth"}), wrong=wrong)
            try:
                posted = msgspec.json.decode(body, type=_Posted)
            except msgspec.DecodeError:
                return Call(json_answer({"ok": False, "error": "invalid_json"}), wrong="not what Slack understands")
            answer = {"ok": True, "channel": posted.channel, "ts": "1800000000.000001", "message": {"type": "message"}}
            return Call(json_answer(answer), posted.channel, posted.text)
        if path.startswith(_RESPOND):
            place = unquote(path.removeprefix(_RESPOND).partition("/")[0])
            try:
                return Call(json_answer({"ok": True}), place, msgspec.json.decode(body, type=_Responded).text)
            except msgspec.DecodeError:
                wrong = "not what Slack understands"
                return Call(json_answer({"ok": False, "error": "invalid_payload"}, 400), wrong=wrong)
        if path.startswith("/api/"):
            return Call(json_answer({"ok": True, "bot_id": "B0LOADTEST", "user_id": _BOT, "team_id": _TEAM}))
        return None

    def _signed(self, place: str, body: bytes, content_type: str, at_s: float) -> Delivery:
        base = b"v0:%d:%b" % (int(at_s), body)
        headers = {
            "User-Agent": _AGENT,
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": str(int(at_s)),
            "X-Slack-Signature": "v0=" + hmac.digest(self.signing_secret.encode(), base, "sha256").hex(),
        }
        return Delivery(place, f"/hooks/slack/{self.account}", headers, body)
