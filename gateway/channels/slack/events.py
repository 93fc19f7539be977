"""The Events API: messages of users.  https://docs.slack.dev/apis/events-api"""

from __future__ import annotations

import re

import msgspec

from gateway.channels.base import Immediate, Parsed
from gateway.channels.decoding import decode_json
from gateway.channels.slack import answers, place, workspaces
from gateway.channels.slack.mrkdwn import to_plain
from gateway.channels.slack.payloads import Envelope, Event, EventKind, File
from gateway.channels.slack.surfaces import EVENT
from gateway.domain.errors import NotUnderstood
from gateway.domain.http import json_response
from gateway.domain.message import Attachment, Inbound, Message
from gateway.domain.text import clean
from gateway.settings.accounts import SlackAccount

__all__ = ["parse_event"]

_ENVELOPE = msgspec.json.Decoder(Envelope)
_KIND = msgspec.json.Decoder(EventKind)
_EVENT = msgspec.json.Decoder(Event)

#: What users write.  All other subtypes are edits, deletions, joins and the words of bots.
_SPOKEN = frozenset({None, "", "file_share", "thread_broadcast", "me_message"})
_MENTION = re.compile(r"\s*<@([A-Z0-9]+)(?:\|[^<>]*)?>[,:]?\s*")


def parse_event(body: bytes, account: SlackAccount) -> Parsed:
    """Return the messages of an event delivery: at most one, since Slack does not batch."""
    envelope = decode_json(_ENVELOPE, body)
    match envelope.type:
        case "url_verification":
            if envelope.challenge is None:
                raise NotUnderstood("url_verification without a challenge", reason="wrong_schema")
            return Immediate(json_response({"challenge": envelope.challenge}))
        case "event_callback":
            return workspaces.messages(account, _installations(envelope), _messages(envelope))
        case "app_rate_limited":
            # What Slack holds back in such a minute never comes, and no operator would know of it.
            return Immediate(answers.EMPTY, refused="app_rate_limited")
        case _:
            raise NotUnderstood("an envelope type that the Events API does not have", reason="unknown_type")


def _installations(envelope: Envelope) -> list[str | None]:
    # In a channel that organizations share, the event is of one team and the app may be another's: the authorization
    # says through which installation we are told.  https://docs.slack.dev/apis/events-api#authorizations
    ours = [(each.team_id, each.enterprise_id) for each in envelope.authorizations or ()]
    context = envelope.context_team_id, envelope.context_enterprise_id
    return [each for pair in (*ours, context, (envelope.team_id, envelope.enterprise_id)) for each in pair]


def _team(envelope: Envelope) -> str:
    """Return the team of our installation: by the author's, each organization would have a conversation of its own."""
    ours = [each.team_id for each in envelope.authorizations or ()]
    return next(filter(None, (*ours, envelope.context_team_id, envelope.team_id)), "")


def _messages(envelope: Envelope) -> list[Inbound]:
    kind = decode_json(_KIND, envelope.event)
    # A bot that answers bots answers itself in the end.
    if kind.type not in {"message", "app_mention"} or kind.subtype not in _SPOKEN or kind.bot_id:
        return []
    event = decode_json(_EVENT, envelope.event)
    bots = {each.user_id for each in envelope.authorizations or () if each.is_bot and each.user_id}
    if event.user in bots:
        return []
    team = _team(envelope)
    # Twins are of one author; of several installations each may be told through another.
    dedupe_keys = [place.message_key(envelope.team_id or team, event.channel, event.ts)]
    if envelope.event_id:
        dedupe_keys.insert(0, clean(f"event:{envelope.event_id}"))
    locale = clean(event.locale or "")
    attachments = tuple(_attachment(file) for file in event.files or ())
    text = to_plain(_without_mention(event, bots))
    return [
        Inbound(
            conversation_key=place.conversation_key(team, event.channel, event.thread_ts),
            dedupe_keys=tuple(dedupe_keys),
            sender=place.sender(team, event.user, locale=locale),
            message=Message(
                kind="attachment" if attachments and not text else "text",
                text=text,
                attachments=attachments,
                locale=locale,
                sent_at=place.sent_at(event.ts),
            ),
            surface=EVENT,
            address=place.address(team=team, channel=event.channel, thread_ts=event.thread_ts),
        )
    ]


def _without_mention(event: Event, bots: set[str]) -> str:
    """Return the text without the mention of ourselves that it starts with.

    The ``message`` twin of an ``app_mention`` must read the same, so both are treated alike where Slack
    says who we are; where it does not, an ``app_mention`` that starts with a mention means us.
    """
    text = event.text or ""
    mention = _MENTION.match(text)
    if mention and (mention[1] in bots or (not bots and event.type == "app_mention")):
        return text[mention.end() :]
    return text


def _attachment(file: File) -> Attachment:
    media_type = file.mimetype or ""
    family = media_type.partition("/")[0]
    return Attachment(
        kind=family if family in {"image", "audio", "video"} else "file",  # type: ignore[arg-type]
        url=clean(file.url_private or ""),
        media_type=clean(media_type),
        name=clean(file.name or ""),
        size_bytes=file.size,
    )
