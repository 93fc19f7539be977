"""What Alexa makes of what somebody says: a launch, an intent, the end of a session.

https://developer.amazon.com/docs/alexa/custom-skills/request-types-reference.html.  Free text goes into the first of
the account's ``text_slots``, as it would with a carrier phrase; the words below are intents of Alexa's own.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from gateway.platforms.base import Act, Say, Scene, letters
from gateway.settings.accounts import AlexaAccount

__all__ = ["BUILT_IN", "SESSION_ENDED", "access_token", "device_id", "place_of", "request_of", "user_id"]

SESSION_ENDED = "SessionEndedRequest"
#: Said alone, they are these.
_LAUNCH = frozenset({"open", "launch", "start"})
_END = frozenset({"exit", "quit"})
BUILT_IN = {
    "yes": "Yes", "no": "No", "help": "Help", "stop": "Stop", "cancel": "Cancel", "repeat": "Repeat", "next": "Next",
    "previous": "Previous", "start over": "StartOver",
}  # fmt: skip
_LOCALE = "en-US"


def user_id(scene: Scene) -> str:
    """Return the id that a person has with this skill."""
    return f"amzn1.ask.account.{letters(scene.user, 40)}"


def device_id(scene: Scene) -> str:
    """Return the id of the device: each thread is another one in the house."""
    return f"amzn1.ask.device.{letters(f'{scene.user} {scene.thread}', 40)}"


def access_token(account: AlexaAccount, place: str) -> str:
    """Return the token for what is said meanwhile, which says where that is heard."""
    return "trial." + base64.urlsafe_b64encode(f"{account.name} {place}".encode()).decode()


def place_of(account: AlexaAccount, authorization: str) -> str | None:
    """Return the place of an ``Authorization`` header, or None: it is no token of this account's."""
    scheme, _, token = authorization.partition(" ")
    try:
        said = base64.b64decode(token.removeprefix("trial."), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    name, _, place = said.partition(" ")
    return place if scheme == "Bearer" and name == account.name and place else None


def request_of(account: AlexaAccount, scene: Scene, act: Act, *, place: str) -> dict[str, Any]:
    """Return the body of the request."""
    said = act.text if isinstance(act, Say) else act.control.label
    user, application = {"userId": user_id(scene)}, {"applicationId": account.skill_ids[0]}
    system = {
        "application": application,
        "user": user,
        "device": {"deviceId": device_id(scene), "supportedInterfaces": {}},
        "apiEndpoint": f"{scene.origin}/alexa/{account.name}",
        "apiAccessToken": access_token(account, place),
    }
    asked = _asked(account, said)
    return {
        "version": "1.0",
        "session": {
            "new": asked["type"] == "LaunchRequest",
            "sessionId": f"amzn1.echo-api.session.{letters(place, 30)}",
            "application": application,
            "user": user,
        },
        "context": {"System": system},
        "request": {
            **asked,
            "requestId": f"amzn1.echo-api.request.{scene.number}",
            "timestamp": datetime.fromtimestamp(scene.at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "locale": _LOCALE,
        },
    }


def _asked(account: AlexaAccount, said: str) -> dict[str, Any]:
    alone = " ".join(said.lower().strip(" .!?").split())
    if alone in _LAUNCH:
        return {"type": "LaunchRequest"}
    if alone in _END:
        return {"type": SESSION_ENDED, "reason": "USER_INITIATED"}
    if alone in BUILT_IN:
        return _intent(f"AMAZON.{BUILT_IN[alone]}Intent", {})
    slot = account.text_slots[0] if account.text_slots else "text"
    return _intent("CatchAllIntent", {slot: {"name": slot, "value": said, "confirmationStatus": "NONE"}})


def _intent(name: str, slots: dict[str, Any]) -> dict[str, Any]:
    return {"type": "IntentRequest", "intent": {"name": name, "confirmationStatus": "NONE", "slots": slots}}
