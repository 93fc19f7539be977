"""What a request says.

| request | surface | message |
|---|---|---|
| LaunchRequest | request | event ``session_started`` |
| IntentRequest | request, or stop | speech: text, intent's name, slots |
| SessionEndedRequest | notice | event ``session_ended``, with its reason |
| AlexaSkillEvent.* | notice | event ``skill_enabled`` and the like |
| anything else | | understood, and nothing for a conversation |
"""

from __future__ import annotations

import re

from gateway.channels.alexa.payloads import ENVELOPE, Envelope
from gateway.channels.alexa.surfaces import NOTICE, REQUEST, STOP
from gateway.channels.alexa.verify import unix_s
from gateway.channels.alexa.words import STOPS, arguments, said
from gateway.channels.base import Messages
from gateway.channels.decoding import decode_json
from gateway.domain.errors import NotUnderstood
from gateway.domain.http import Request
from gateway.domain.message import Inbound, Message, Sender, Surface
from gateway.domain.text import clean
from gateway.settings.accounts import AlexaAccount

__all__ = ["parse"]

_SKILL_EVENT = "AlexaSkillEvent."
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_LOCALE_CHARS_MAX = 35


def parse(request: Request, account: AlexaAccount) -> Messages:
    """Return the one message of the request, or none."""
    envelope = decode_json(ENVELOPE, request.body)
    asked = envelope.request
    at_s, locale = unix_s(asked.timestamp), clean((asked.locale or "")[:_LOCALE_CHARS_MAX])
    surface: Surface = NOTICE
    match asked.type:
        case "LaunchRequest":
            surface = REQUEST
            message = Message(kind="event", name="session_started", locale=locale, sent_at=at_s)
        case "IntentRequest":
            message = _speech(envelope, account, locale, at_s)
            surface = STOP if message.name in STOPS else REQUEST
        case "SessionEndedRequest":
            reason = clean(asked.reason or "")
            message = Message(kind="event", name="session_ended", value=reason, locale=locale, sent_at=at_s)
        case type_ if type_.startswith(_SKILL_EVENT):
            message = Message(kind="event", name=_event_name(type_), locale=locale, sent_at=at_s)
        case _:
            return Messages(())
    return Messages((_inbound(envelope, account, message, surface),))


def _speech(envelope: Envelope, account: AlexaAccount, locale: str, at_s: float | None) -> Message:
    intent = envelope.request.intent
    if intent is None:
        raise NotUnderstood("an IntentRequest without an intent", reason="wrong_schema")
    slots = arguments(intent)
    return Message(
        kind="speech",
        text=said(intent, slots, account.text_slots),
        name=clean(intent.name),
        arguments=slots,
        locale=locale,
        sent_at=at_s,
    )


def _inbound(envelope: Envelope, account: AlexaAccount, message: Message, surface: Surface) -> Inbound:
    asked, system, session = envelope.request, envelope.context.system, envelope.session
    user = system.user or (session.user if session else None)
    if user is None or not user.user_id or not asked.request_id:
        raise NotUnderstood("a request of no user, or without an id", reason="wrong_schema")
    user_id = clean(user.user_id)
    device_id = clean(system.device.device_id) if system.device else ""
    address = {"request": clean(asked.request_id)}
    if session and session.session_id:
        address["session"] = clean(session.session_id)
    passing = {}
    if surface != NOTICE and system.api_endpoint and system.api_access_token:
        passing = {
            "api": system.api_endpoint,
            "token": system.api_access_token,
            "request": asked.request_id,
        }
    return Inbound(
        # Over all sessions: what an assistant keeps is about the dialogue with this device, and two devices of one
        # household are two dialogues.  Skill events name no device.
        conversation_key=f"{user_id}:{device_id}",
        dedupe_keys=(clean(asked.request_id),),
        sender=Sender(key=user_id, locale=message.locale),
        message=message,
        surface=surface,
        address=address,
        answer_by_s=account.answer_by_s,
        passing=passing,
    )


def _event_name(type_: str) -> str:
    """Return ``skill_enabled`` of ``AlexaSkillEvent.SkillEnabled``."""
    return clean(_CAPITAL.sub("_", type_.removeprefix(_SKILL_EVENT)).lower()[:100])
