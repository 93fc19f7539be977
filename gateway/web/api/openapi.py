"""``/api/v1/openapi.json``: the API's description (OpenAPI 3.1), made of the operations themselves.

There is no second source.  msgspec writes the schema of each struct that decodes a request or is encoded as an answer,
and apispec puts them together and refuses what would stand twice.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec
from apispec import APISpec

from gateway.domain.http import status_line
from gateway.web.api.operation import OPEN, Operation, operation, operations
from gateway.web.api.problem import Problem

__all__ = ["OpenApi"]

_REF = "#/components/schemas/{name}"
_ID = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
_TEXT = {"type": "string", "minLength": 1}
#: What the server says by itself, to whoever is over one of its bounds (gateway/server/README.md).
_UNREAD = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"error": {"type": "string"}, "message": {"type": "string"}},
            "required": ["error", "message"],
        }
    }
}
_DESCRIPTION = """\
What operators and their programs ask of a Switchboard gateway.

Every operation names the scope that its token needs: a token of `switchboard token create`, or one of the
setting `api.tokens`, which may do everything.  Every refusal is a problem document (RFC 9457), whose `reason` is a
short stable word; what is refused before it is read, because it is too large, too slow or too much at once, is told by
the server as `{"error": ..., "message": ...}`.  A list has `next`: what `before` of the following page is, or null at
its end.  Times are Unix seconds.
"""


class OpenApi:
    """The document."""

    def __init__(self, root: str, declared: Sequence[Operation]) -> None:
        self._root = root
        self._text = msgspec.Raw(json.dumps(self._write([*declared, *operations(self)])).encode())

    @operation("GET", "/openapi.json", scope=OPEN)
    def show(self) -> msgspec.Raw:
        """Show this document."""
        return self._text

    def _write(self, declared: Sequence[Operation]) -> dict[str, Any]:
        spec = APISpec(
            title="Switchboard",
            version=version("switchboard"),
            openapi_version="3.1.0",
            info={"description": _DESCRIPTION},
            servers=[{"url": self._root}],
        )
        spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
        schemas = _Schemas(declared)
        for name, schema in schemas.components.items():
            spec.components.schema(name, schema)
        by_path: dict[str, dict[str, Any]] = {}
        for one in declared:
            by_path.setdefault(one.path, {})[one.method.lower()] = _described(one, schemas)
        for path, described in by_path.items():
            spec.path(path=path, operations=described)
        return spec.to_dict()


class _Schemas:
    """The schemas of all structs of the operations."""

    def __init__(self, declared: Iterable[Operation]) -> None:
        kinds: dict[str, Any] = {str(Problem): Problem}
        for one in declared:
            for kind in (one.query, one.headers, one.body, one.answer):
                if kind is not None:
                    kinds[str(kind)] = kind
        schemas, components = msgspec.json.schema_components(list(kinds.values()), ref_template=_REF)
        self._by_kind = dict(zip(kinds, schemas, strict=True))
        words = {self._name(one) for operation in declared for one in (operation.query, operation.headers) if one}
        self._words = {name: components[name] for name in words}
        #: Those that the document refers to: a query's fields are parameters, each by itself.
        self.components: Mapping[str, Any] = {
            name: _readable(schema) for name, schema in sorted(components.items()) if name not in words
        }

    def of(self, kind: Any) -> Any:
        """Return the schema of *kind*, or where it stands."""
        return self._by_kind[str(kind)]

    def fields(self, kind: Any) -> Iterable[tuple[str, Any, bool]]:
        """Yield name, schema and whether it must be there, of each field of a query or headers."""
        schema = self._words[self._name(kind)]
        for name, field in schema["properties"].items():
            yield name, _without_null(field), name in schema.get("required", ())

    def _name(self, kind: Any) -> str:
        return str(self._by_kind[str(kind)]["$ref"]).rpartition("/")[2]


def _described(one: Operation, schemas: _Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.path.split("/")[1].removesuffix(".json")],
        "summary": one.summary,
        "responses": {str(one.status): _success(one, schemas)},
        "security": [] if one.scope == OPEN else [{"token": [one.scope]}],
    }
    needs = "" if one.scope == OPEN else f"Scope: `{one.scope}`."
    if text := "\n\n".join(filter(None, (one.description, needs))):
        described["description"] = text
    if parameters := _parameters(one, schemas):
        described["parameters"] = parameters
    if one.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas.of(one.body)}},
        }
    problem = {"application/problem+json": {"schema": schemas.of(Problem)}}
    for status in _problems(one):
        content = {**problem, **_UNREAD} if status in (413, 503) else problem
        described["responses"][str(status)] = {"description": _phrase(status), "content": content}
    return described


def _success(one: Operation, schemas: _Schemas) -> dict[str, Any]:
    success: dict[str, Any] = {"description": _phrase(one.status)}
    if one.answer is not None:
        success["content"] = {"application/json": {"schema": schemas.of(one.answer)}}
    if one.located:
        success["headers"] = {
            "Location": {"description": "Where it is to be looked at.", "required": True, "schema": _TEXT}
        }
    return success


def _parameters(one: Operation, schemas: _Schemas) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name, kind in one.path_types.items():
        schema = _ID if kind is int else {**_TEXT, **msgspec.json.schema(kind)}
        parameters.append({"in": "path", "name": name, "required": True, "schema": schema})
    for where, kind in (("query", one.query), ("header", one.headers)):
        if kind is not None:
            parameters += [
                {"in": where, "name": name, "required": required, "schema": schema}
                for name, schema, required in schemas.fields(kind)
            ]
    return parameters


def _problems(one: Operation) -> list[int]:
    """Return the statuses of its refusals."""
    found = {*one.problems, 400, 503}
    if one.scope != OPEN:
        found |= {401, 403}
    if one.path_types:
        found.add(404)
    if one.body is not None:
        found |= {413}
    return sorted(found)


def _readable(schema: Any) -> Any:
    """Return *schema* with docstrings as the document's own texts are: CommonMark, and not indented."""
    if isinstance(schema, list):
        return [_readable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    readable = {name: _readable(one) for name, one in schema.items()}
    if isinstance(text := schema.get("description"), str):
        readable["description"] = inspect.cleandoc(text).replace("``", "`")
    return readable


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a word of a query may be: one that is not given is not there, and no word says null."""
    left = {name: value for name, value in schema.items() if name != "default" or value is not None}
    if "anyOf" in left:
        [only] = [one for one in left.pop("anyOf") if one != {"type": "null"}]
        left |= only
    if None in left.get("enum", ()):
        left["enum"] = [one for one in left["enum"] if one is not None]
    return left


def _phrase(status: int) -> str:
    return status_line(status).partition(" ")[2]
