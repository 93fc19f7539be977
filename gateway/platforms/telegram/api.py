"""What Telegram is called for: the methods of the Bot API that a webhook bot needs.

Refused in its words: a token that is none or another bot's, a chat that is none, an empty text or one that is too long,
a button whose data does not fit.  https://core.telegram.org/bots/api#available-methods
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.platforms.base import Call, Control, Picture, Seen, Served, json_answer
from gateway.settings.accounts import TelegramAccount

__all__ = ["arguments", "error", "run", "served"]

_TEXT_UNITS_MAX = 4_096
_CAPTION_UNITS_MAX = 1_024
_CALLBACK_BYTES_MAX = 64
_BUTTONS_MAX = 100
#: What a photo is called for who cannot see it: Telegram has nothing of the sort that its sender could set.
_PHOTO = "photo"

_PATH = re.compile(r"/bot(?P<token>\d+:[A-Za-z0-9_-]+)/(?P<method>[A-Za-z]+)")
_WEB = re.compile(r"https?://[^\s/?#.]+\.[^\s]+")


def served(account: TelegramAccount, call: Call) -> Served:
    """Return what the Bot API says to *call*, and what is shown because of it."""
    found = _PATH.fullmatch(call.path)
    if found is None:
        return _refused(404, "Not Found")
    if not hmac.compare_digest(found["token"].encode(), account.bot_token.reveal_bytes()):
        return _refused(401, "Unauthorized")
    given = arguments(call.body)
    if given is None:
        return _refused(400, "Bad Request: can't parse JSON object")
    if found["method"].lower() == "getme":
        bot_id = int(found["token"].partition(":")[0])
        named = {"first_name": account.name, "username": account.username.removeprefix("@") or "trial_bot"}
        return _ok({"id": bot_id, "is_bot": True, **named})
    return run(found["method"], given, at_s=call.at_s, number=call.number)


def run(method: str, given: dict[str, Any], *, at_s: float, number: int) -> Served:
    """Return what *method* comes to; its name is taken in any case, as Telegram takes it."""
    match method.lower():
        case "sendmessage":
            return _message(given, "text", _TEXT_UNITS_MAX, at_s=at_s, number=number)
        case "sendphoto":
            return _photo(given, at_s=at_s, number=number)
        case "answercallbackquery":
            return _tap_taken(given)
        case "sendchataction":
            return _action(given)
        case "setwebhook":
            return _webhook(given)
        case "deletewebhook":
            return _ok(True)
        case "getwebhookinfo":
            return _ok({"url": "", "has_custom_certificate": False, "pending_update_count": 0})
    return _refused(404, "Not Found")


def arguments(body: bytes) -> dict[str, Any] | None:
    """Return a call's arguments, or None: they are no JSON object."""
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def error(code: int, description: str, **parameters: int) -> dict[str, Any]:
    """Return the body of a refusal."""
    body = {"ok": False, "error_code": code, "description": description}
    return {**body, "parameters": parameters} if parameters else body


def _photo(given: dict[str, Any], *, at_s: float, number: int) -> Served:
    if not isinstance(given.get("photo"), str) or not given["photo"]:
        return _refused(400, "Bad Request: there is no photo in the request")
    return _message(given, "caption", _CAPTION_UNITS_MAX, at_s=at_s, number=number)


def _tap_taken(given: dict[str, Any]) -> Served:
    if not given.get("callback_query_id"):
        return _refused(
            400, "Bad Request: query is too old and response timeout expired or query ID is invalid"
        )
    notes = (given.get("text") or "the button was taken",)
    return _ok(True, seen=Seen("", notes=notes, kind="progress"))


def _action(given: dict[str, Any]) -> Served:
    if given.get("action") != "typing":
        return _refused(400, "Bad Request: wrong parameter action in request")
    return _ok(True, place=_place(given), seen=Seen("", notes=("typing …",), kind="progress"))


def _webhook(given: dict[str, Any]) -> Served:
    # Nothing is kept: the trial's updates go where they are told to each time.
    if not str(given.get("url", "")).startswith("https://"):
        return _refused(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
    return _ok(True)


def _message(given: dict[str, Any], words: str, units_max: int, *, at_s: float, number: int) -> Served:
    chat_id, text = given.get("chat_id"), given.get(words, "")
    if not isinstance(chat_id, int) or not chat_id:
        return _refused(400, "Bad Request: chat not found")
    if not isinstance(text, str) or (words == "text" and not text.strip()):
        return _refused(400, "Bad Request: message text is empty")
    if _units(text) > units_max:
        return _refused(400, f"Bad Request: message {'caption ' if words == 'caption' else ''}is too long")
    rows = (given.get("reply_markup") or {}).get("inline_keyboard", [])
    keys = [key for row in rows for key in row]
    if problem := _problem(keys):
        return _refused(400, f"Bad Request: {problem}")
    result = {
        "message_id": number,
        "date": int(at_s),
        "chat": {"id": chat_id, "type": "private" if chat_id > 0 else "supergroup"},
        words: text,
        **({"reply_markup": {"inline_keyboard": rows}} if keys else {}),
    }
    pictures = (Picture(given["photo"], _PHOTO),) if "photo" in given else ()
    under = {name: value for name, value in result.items() if name != "chat"}
    controls = tuple(
        Control(
            key["text"],
            {} if "url" in key else {"data": key["callback_data"], "message": under},
            key.get("url", ""),
        )
        for key in keys
    )
    notes = ("in reply to your message",) if given.get("reply_parameters") else ()
    shown = _spelled(text, given.get("entities") or given.get("caption_entities") or [])
    return _ok(result, place=_place(given), seen=Seen(shown, controls, pictures, notes))


def _problem(keys: list[dict[str, Any]]) -> str:
    """Return what Telegram finds wrong with a keyboard, or an empty string."""
    if len(keys) > _BUTTONS_MAX:
        return "REPLY_MARKUP_TOO_LONG"
    for key in keys:
        if not str(key.get("text", "")).strip():
            return "inline keyboard button text is empty"
        if "url" in key:
            if not _WEB.match(key["url"]):
                return f"inline keyboard button URL '{key['url']}' is invalid: Wrong HTTP URL"
        elif not 1 <= len(str(key.get("callback_data", "")).encode()) <= _CALLBACK_BYTES_MAX:
            return "BUTTON_DATA_INVALID"
    return ""


def _spelled(text: str, entities: list[dict[str, Any]]) -> str:
    """Return *text* as it reads; where words are a link its address stands behind them."""
    encoded = text.encode("utf-16-le")
    return b"".join(_stretches(encoded, entities)).decode("utf-16-le", "replace")


def _stretches(encoded: bytes, entities: list[dict[str, Any]]) -> Iterator[bytes]:
    start = 0
    links = [one for one in entities if one.get("type") == "text_link"]
    for link in sorted(links, key=lambda one: int(one["offset"])):
        end = 2 * (link["offset"] + link["length"])
        yield encoded[start:end] + f" ({link['url']})".encode("utf-16-le")
        start = end
    yield encoded[start:]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _place(given: dict[str, Any]) -> str:
    topic = given.get("message_thread_id")
    return f"{given.get('chat_id')}:{topic}" if topic else str(given.get("chat_id"))


def _ok(result: object, *, place: str = "", seen: Seen | None = None) -> Served:
    return Served(json_answer({"ok": True, "result": result}), place, (seen,) if seen else ())


def _refused(code: int, description: str) -> Served:
    return Served(json_answer(error(code, description), code))
