"""The published schema and the README: what they show is what the gateway sends and accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gateway import assistants
from gateway.assistants.decode import AssistantReply
from gateway.assistants.preview import Delta, PartPreview, Typing
from gateway.assistants.schema import assistant_schema
from gateway.assistants.stream import StreamDecoder
from gateway.assistants.wire import TurnRequest, encode
from gateway.domain.reply import Part, Text
from gateway.settings.assistants import AssistantSettings
from tests.assistants.turns import CAPABILITIES, LANE_KEY, TURN

README = (Path(assistants.__file__).parent / "README.md").read_text()


def example(name: str) -> bytes:
    """Return the README's example that is marked with *name*."""
    found = re.search(rf"<!-- {name} -->\n```\w*\n(.*?)```", README, re.DOTALL)
    assert found, name
    return found[1].encode()


def references(value: Any) -> Iterator[str]:
    """Yield every ``$ref`` inside *value*."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for child in value.values():
            yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


def test_the_schema_is_json_and_whole() -> None:
    """It can be served as it is, and every reference in it leads somewhere."""
    schema = msgspec.json.decode(msgspec.json.encode(assistant_schema()))

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    targets = {reference.removeprefix("#/$defs/") for reference in references(schema)}
    assert targets <= set(schema["$defs"])
    assert {"TurnRequest", "AssistantReply", "StreamEvents"} <= set(schema["$defs"])


def test_the_schema_names_every_type_of_part() -> None:
    """A part that can be decoded can be written by somebody who reads only the schema."""
    parts = assistant_schema()["$defs"]["AssistantReply"]["properties"]["parts"]["items"]

    tags = {part.__struct_config__.tag for part in Part.__args__}
    assert set(parts["discriminator"]["mapping"]) == tags
    assert len(parts["anyOf"]) == len(tags)


def test_the_schema_requires_what_the_decoder_requires() -> None:
    definitions = assistant_schema()["$defs"]

    assert definitions["AssistantReply"]["required"] == ["parts"]
    assert definitions["AssistantReply"]["properties"]["parts"]["maxItems"] == 50
    assert set(definitions["TurnRequest"]["required"]) == set(TurnRequest.__struct_fields__)


def test_the_readmes_request_is_one() -> None:
    """To the byte what is sent for such a turn, spaces aside."""
    sent = encode(TURN, LANE_KEY, CAPABILITIES, deadline_ms=12_345)

    assert msgspec.json.encode(msgspec.json.decode(example("TurnRequest"))) == sent


def test_the_readmes_reply_is_one() -> None:
    reply = msgspec.json.decode(example("AssistantReply"), type=AssistantReply)

    assert [part.__struct_config__.tag for part in reply.parts] == ["text", "card", "suggestions"]


def test_the_readmes_stream_is_one() -> None:
    decoder = StreamDecoder(AssistantSettings())
    text = Text("A **Negroni**, then.", markdown=True)

    previews = list(decoder.feed(example("stream")))

    assert previews == [Typing(), Delta("A **Negr"), Delta("oni**, then."), PartPreview(text)]
    assert decoder.close().parts == (text,)


def test_the_readmes_settings_exist() -> None:
    """Every bound is explained where authors of assistants look, by the name that it has."""
    named = set(re.findall(r"`([a-z_]+_(?:s|max))`", README))
    bounds = {field for field in AssistantSettings.__struct_fields__ if field.endswith(("_s", "_max"))}

    assert named == bounds
