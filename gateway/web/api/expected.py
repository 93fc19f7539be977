"""What a field may be, in words for people: read from the same schema that the document shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.assistants.decode import place

__all__ = ["Expected"]

#: Characters of what was found that are quoted.
_SHOWN_CHARS_MAX = 40
#: Characters of msgspec's own words, which may quote what was found.
_WORDS_CHARS_MAX = 400
_PLAIN = {
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
}


class Expected:
    """The fields of a struct, as its callers write them."""

    def __init__(self, kind: type[msgspec.Struct]) -> None:
        [schema], components = msgspec.json.schema_components([kind], ref_template="{name}")
        properties = components[schema["$ref"]]["properties"]
        self.names = list(properties)
        self._words = {name: _words(one) for name, one in properties.items()}

    def explain(self, error: msgspec.ValidationError, given: Mapping[str, Any]) -> str:
        """Return what is wrong with *given*: what was expected of which field, and what was found."""
        what, path = place(error)
        name = path.removeprefix("$.")
        if name in self._words and name in given:
            return self.say(name, given[name])
        if "unknown field" in what and path == "$":
            what = f"{what}; expected only {', '.join(self.names)}"
        return what[:_WORDS_CHARS_MAX] + ("" if path == "$" else f" at {path}")

    def say(self, name: str, given: Any) -> str:
        """Return what was expected of a field, and what was *given*."""
        return f"expected {name} as {self._words[name]}, got {_shown(given)}"


def _words(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_words(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return f"one of {', '.join(str(one) for one in schema['enum'] if one is not None)}"
    if "pattern" in schema or "format" in schema:
        return str(schema.get("description") or schema.get("pattern") or schema["format"])
    plain = _PLAIN.get(schema.get("type", ""), "a value")
    if "maxLength" in schema:
        return f"{plain} of {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    if "maximum" in schema:
        # As whole numbers: as floats the largest id would be one more than it is.
        return f"{plain} from {int(schema['minimum'])} to {int(schema['maximum'])}"
    if "maxItems" in schema:
        return f"{plain} of {schema.get('minItems', 0)} to {schema['maxItems']}"
    return plain


def _shown(value: Any) -> str:
    # Of a long text only how long it is: it may name a person.
    if isinstance(value, str):
        return repr(value) if 0 < len(value) <= _SHOWN_CHARS_MAX else f"{len(value)} characters"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return str(value)[:_SHOWN_CHARS_MAX] if isinstance(value, int | float | None) else "an object"
