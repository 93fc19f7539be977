"""Bytes of a platform into typed values, or :exc:`NotUnderstood`: whatever arrives, nothing else escapes.

Decoding is lenient about what we do not read (unknown fields are skipped) and strict about what we do.  No
error carries the input: the messages name a path and the expected type only.
"""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from gateway.domain.errors import NotUnderstood
from gateway.domain.text import repair_surrogates

__all__ = ["FORM_FIELDS_MAX", "convert", "decode_form", "decode_json"]

T = TypeVar("T")

#: Fields of one form: Slack sends 16.
FORM_FIELDS_MAX = 100


def decode_json(decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw) -> T:
    """Return what *decoder* makes of *raw*; escaped lone surrogates become U+FFFD."""
    _require_utf8(bytes(raw))
    try:
        return _decode(decoder, raw)
    except msgspec.ValidationError as error:
        raise NotUnderstood(str(error), reason="wrong_schema") from None
    except msgspec.DecodeError:
        repaired = repair_surrogates(bytes(raw))
    if repaired == bytes(raw):
        raise NotUnderstood("the body is not JSON", reason="not_json")
    try:
        return _decode(decoder, repaired)
    except msgspec.ValidationError as error:
        raise NotUnderstood(str(error), reason="wrong_schema") from None
    except msgspec.DecodeError:
        raise NotUnderstood("the body is not JSON", reason="not_json") from None


def decode_form(raw: bytes) -> dict[str, str]:
    """Return the fields of a form body; of a field that stands twice, the last."""
    try:
        pairs = parse_qsl(
            raw.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FORM_FIELDS_MAX,
        )
    except UnicodeDecodeError:
        raise NotUnderstood("the form is not UTF-8", reason="not_utf8") from None
    except ValueError:
        raise NotUnderstood(f"the form has more than {FORM_FIELDS_MAX} fields", reason="not_a_form") from None
    return dict(pairs)


def convert(value: object, into: type[T]) -> T:
    """Return *value* (of plain Python) as *into*."""
    try:
        return msgspec.convert(value, into)
    except msgspec.ValidationError as error:
        raise NotUnderstood(str(error), reason="wrong_schema") from None


def _decode(decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(raw)
    except RecursionError:
        raise NotUnderstood("the JSON is nested too deeply", reason="too_deep") from None


def _require_utf8(raw: bytes) -> None:
    # The decoder looks only at the strings that it keeps; a body that is not text is refused whole.
    if raw.isascii():
        return
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise NotUnderstood("the body is not UTF-8", reason="not_utf8") from None
