"""The reply side of the wire format: bytes that an assistant sent, to a checked :class:`Reply`.

Nothing is believed: JSON and types are checked against the published schema, state and memory against their
bounds, and what no store could keep (``\\u0000``, lone surrogates) becomes U+FFFD.  An error names the place
in the reply and what was expected there, never what stood there: a reply may hold what a user said in
confidence.

Unknown fields are ignored, so that a newer assistant can talk to an older gateway; a missing ``parts`` is
not, because ``{"error": ...}`` is no reply.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from gateway.domain.errors import AssistantFailed
from gateway.domain.reply import PARTS_MAX, Part, Reply
from gateway.settings.assistants import AssistantSettings

__all__ = ["AssistantReply", "decode_json", "decode_reply", "explain", "place"]

T = TypeVar("T")


class AssistantReply(Reply, frozen=True):
    """A reply as it must stand on the wire: ``parts`` may be empty, and must be there."""

    parts: Annotated[tuple[Part, ...], Meta(max_length=PARTS_MAX)]


_decoder = msgspec.json.Decoder(AssistantReply)

#: Escapes that may stand for a character that no store keeps: only where one is found does the slow pass run.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
#: Every escape, surrogate pairs as one, so that a backslash which is itself escaped is not taken for a
#: beginning.
_ESCAPE = re.compile(
    rb"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?P<unstorable>u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|u[0-9a-fA-F]{4}|[^u])"
)
_REPLACEMENT = "\ufffd".encode()

_WHERE = re.compile(r"^(?P<what>.*) - at `(?P<path>\$[^`]*)`$", re.DOTALL)
#: Beginnings of msgspec's messages that speak of the schema alone; others quote the value that was found.
_HARMLESS = ("Expected ", "Object missing required field ")


def decode_reply(body: bytes, bounds: AssistantSettings) -> Reply:
    """Return the reply that *body* holds.

    :raises AssistantFailed: ``not_json``, ``wrong_schema``, ``too_large``, ``too_deep``, ``state_too_large``
        or ``memory_too_large``.
    """
    if len(body) > bounds.reply_bytes_max:
        raise AssistantFailed(
            f"the reply is over reply_bytes_max ({bounds.reply_bytes_max})", reason="too_large"
        )
    said = decode_json(body, _decoder, "reply")
    _check_object(said.state, "state", bounds.state_bytes_max, bounds.nesting_max)
    _check_object(said.memory, "memory", bounds.memory_bytes_max, bounds.nesting_max)
    return Reply(said.parts, said.state, said.memory, said.end, said.locale, said.timers)


def explain(error: msgspec.ValidationError) -> str:
    """Return what was expected and where, and nothing of what stood there."""
    what, path = place(error)
    return f"{what if what.startswith(_HARMLESS) else 'a value that is not allowed'} at {path}"


def place(error: msgspec.ValidationError) -> tuple[str, str]:
    """Return msgspec's own words, and the path of the value that they are about."""
    found = _WHERE.match(str(error))
    return (found["what"], found["path"]) if found else (str(error), "$")


def decode_json(
    data: bytes,
    decoder: msgspec.json.Decoder[T],
    what: str,
    *,
    explained: Callable[[msgspec.ValidationError], str] = explain,
) -> T:
    """Return *data* as *decoder*'s type, its texts storable; *what* names it in errors, and *explained* what is wrong.

    :raises AssistantFailed: ``not_json``, ``wrong_schema`` or ``too_deep``.
    """
    # Errors are raised without their cause: msgspec's quote what they found, and UnicodeDecodeError carries
    # it all.
    try:
        return decoder.decode(_storable(data))
    except msgspec.ValidationError as error:
        raise AssistantFailed(
            f"the {what} does not fit the schema: {explained(error)}", reason="wrong_schema"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise AssistantFailed(f"the {what} is not valid JSON in UTF-8", reason="not_json") from None
    except RecursionError:
        raise AssistantFailed(f"the {what} is nested too deeply to be read", reason="too_deep") from None


def _storable(data: bytes) -> bytes:
    """Return JSON *data* with the escapes that no store keeps replaced, at any depth and in keys as well."""
    return _ESCAPE.sub(_replace, data) if _SUSPECT.search(data) else data


def _replace(escape: re.Match[bytes]) -> bytes:
    return _REPLACEMENT if escape["unstorable"] else escape[0]


def _check_object(value: Any, name: str, bytes_max: int, nesting_max: int) -> None:
    if not isinstance(value, dict):
        return
    # Depth first: a writer that recurses, ours or the store's, must never meet what this refuses.
    level: list[Any] = [value]
    for _ in range(nesting_max):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            break
    else:
        raise AssistantFailed(
            f"the reply's {name} is nested over nesting_max ({nesting_max})", reason="too_deep"
        )
    size_bytes = len(msgspec.json.encode(value))
    if size_bytes > bytes_max:
        message = f"the reply's {name} has {size_bytes} bytes, over {name}_bytes_max ({bytes_max})"
        raise AssistantFailed(message, reason=f"{name}_too_large")


def _children(parent: Any) -> list[Any]:
    values = parent.values() if isinstance(parent, dict) else parent
    return [value for value in values if isinstance(value, dict | list)]
