"""The JSON of a request's body as a struct, or what is wrong with it and what would be right.

Its media type is not asked for: only a program sends a token, so no form of a stranger's page can have sent it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import flask
import msgspec
from msgspec import inspect

from gateway.assistants.decode import decode_json, place
from gateway.domain.errors import AssistantFailed, BadRequest
from gateway.web.api.expected import Expected

__all__ = ["Body"]


class Body:
    """How one operation's bodies are read."""

    def __init__(self, kind: type[msgspec.Struct], bytes_max: int, *, repairs: bool) -> None:
        self._decoder = msgspec.json.Decoder(kind)
        self._bytes_max = bytes_max
        self._repairs = repairs
        self._expected = Expected(kind)
        required = [field.encode_name for field in msgspec.structs.fields(kind) if field.required]
        self._whole = f"expected a JSON object with {' and '.join(required)}"
        self._types = ", ".join(_tags(kind))

    def read(self) -> msgspec.Struct:
        """Return the body of the request of this moment.

        :raises BadRequest: it is none.
        """
        flask.request.max_content_length = self._bytes_max
        data = flask.request.get_data()
        if not data.strip():
            raise BadRequest(f"{self._whole}, got an empty body", reason="bad_body")
        try:
            if self._repairs:
                # Its characters that no store keeps are replaced, as an assistant's are.
                return decode_json(data, self._decoder, "body", explained=lambda error: self._explained(error, data))
            return self._decoder.decode(data)
        except msgspec.ValidationError as error:
            wrong = f"the body does not fit the schema: {self._explained(error, data)}"
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            wrong = f"{self._whole}, got what is none: {error}"
        except RecursionError:
            wrong = f"{self._whole}, got what is nested too deeply to be read"
        except AssistantFailed as error:
            # The words are those of a reply, which a message is; who wrote it is the caller here.
            wrong = str(error)
        raise BadRequest(wrong, reason="bad_body")

    def _explained(self, error: msgspec.ValidationError, data: bytes) -> str:
        """Say what was found as well, unlike of an assistant's reply: who is told has written it."""
        what, path = place(error)
        if path == "$" and "required field" in what:
            return f"{self._whole}; {what}"
        if self._types and (path.endswith(".type") or what.endswith("`type`")):
            return f"{what}; expected a type of {self._types}{'' if path == '$' else f' at {path}'}"
        given: Any = None
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            given = msgspec.json.decode(data)
        return self._expected.explain(error, given if isinstance(given, dict) else {})


def _tags(kind: type[msgspec.Struct]) -> Iterator[str]:
    """Yield the types of what a list in *kind* may hold, where it may hold several."""
    whole = inspect.type_info(kind)
    for field in whole.fields if isinstance(whole, inspect.StructType) else ():
        items = getattr(field.type, "item_type", None)
        for one in items.types if isinstance(items, inspect.UnionType) else ():
            if isinstance(one, inspect.StructType) and one.tag is not None:
                yield str(one.tag)
