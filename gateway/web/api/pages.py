"""The API's operations as Flask's routes: the one place where a request becomes values and a value an answer.

    admitted? ─▶ path, query, headers and body as what the function takes ─▶ run ─▶ its answer as JSON

Every refusal is a problem document (:mod:`gateway.web.api.problem`).  Whoever may not ask is told so before anything of
the request is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import flask
import msgspec
from werkzeug.routing import PathConverter

from gateway import telemetry
from gateway.domain.api_token import Scope
from gateway.domain.errors import BadRequest, NotFound
from gateway.web.api.bearer import Bearers
from gateway.web.api.body import Body
from gateway.web.api.expected import Expected
from gateway.web.api.openapi import OpenApi
from gateway.web.api.operation import OPEN, Caller, Located, Operation, operations
from gateway.web.api.problem import refuse_with_problems

__all__ = ["ROOT", "api_pages"]

ROOT = "/api/v1"
_ID_MAX = 2**63 - 1


def api_pages(resources: Iterable[object], bearers: Bearers) -> flask.Blueprint:
    """Return the routes of *resources*, and the document that describes them."""
    pages = flask.Blueprint("api", __name__, url_prefix=ROOT)
    refuse_with_problems(pages)
    pages.record(lambda state: state.app.url_map.converters.update(rest=_Rest))
    declared = [one for resource in resources for one in operations(resource)]
    document = OpenApi(ROOT, declared)
    for one in [*declared, *operations(document)]:
        view = _view(one, bearers)
        # Several slashes are not one: a redirect would lead to the thing of another name.
        pages.add_url_rule(_rule(one), one.name, view, methods=[one.method], merge_slashes=False)
    return pages


def _rule(one: Operation) -> str:
    """Return the path in Flask's form.  A text may hold a slash: only the last placeholder of a path is one."""
    path = one.path
    for name, kind in one.path_types.items():
        path = path.replace(f"{{{name}}}", f"<{'int' if kind is int else 'rest'}:{name}>")
    return path


class _Rest(PathConverter):
    """Whatever is left of a path, unlike Werkzeug's own also if that begins with a slash or holds the end of a line."""

    part_isolating = False
    regex = r"[\s\S]+?"


def _view(one: Operation, bearers: Bearers) -> Callable[..., flask.Response]:
    query = _Words(one.query, "query") if one.query else None
    headers = _Words(one.headers, "headers") if one.headers else None
    body = Body(one.body, one.body_bytes_max, repairs=one.repairs) if one.body else None
    encode = msgspec.json.Encoder().encode

    def view(**path: Any) -> flask.Response:
        caller = _admitted(bearers, one.scope)
        if isinstance(caller, flask.Response):
            return caller
        given = {name: _checked(name, value) for name, value in path.items()}
        if query is not None:
            given["query"] = query.read(_once())
        elif flask.request.args:
            raise BadRequest("expected no query", reason="bad_query")
        if headers is not None:
            given["headers"] = headers.read({name: flask.request.headers.get(name) for name in headers.names})
        if body is not None:
            given["body"] = body.read()
        if one.wants_caller:
            given["caller"] = caller
        answer = _answer(one, one.run(**given), encode)
        if one.logged:
            # Ids alone: a key may name a person.
            ids = "".join(f", {name} {value}" for name, value in path.items() if isinstance(value, int))
            telemetry.event("api.changed", operation=one.name, detail=f"by {caller.by}{ids}")
        return answer

    return view


def _admitted(bearers: Bearers, scope: Scope | str) -> Caller | flask.Response:
    return Caller("anybody") if scope == OPEN else bearers.admit(scope)  # type: ignore[arg-type]  # Literal["open"] is out


def _answer(one: Operation, value: Any, encode: Callable[[Any], bytes]) -> flask.Response:
    headers = {"Cache-Control": "no-store"}
    if isinstance(value, Located):
        headers["Location"] = ROOT + value.location
        value = value.answer
    if one.answer is None:
        return flask.Response(status=one.status, headers=headers)
    return flask.Response(encode(value), one.status, content_type="application/json", headers=headers)


def _checked(name: str, value: Any) -> Any:
    if isinstance(value, int) and not 0 < value <= _ID_MAX:
        what = name.removesuffix("_id")
        raise NotFound(f"there is no {what.replace('_', ' ')} of such a number", reason=f"no_such_{what}")
    return value


def _once() -> Mapping[str, str]:
    given = {}
    for name, texts in flask.request.args.lists():
        if len(texts) > 1:
            raise BadRequest(f"expected {name[:40]} once, got it {len(texts)} times", reason="bad_query")
        given[name] = texts[0]
    return given


class _Words:
    """A query or headers: texts by name, which become what a struct wants."""

    def __init__(self, kind: type[msgspec.Struct], what: str) -> None:
        self._kind = kind
        self._what = what
        self._expected = Expected(kind)
        self._fields = msgspec.structs.fields(kind)
        self.names = self._expected.names

    def read(self, given: Mapping[str, str | None]) -> msgspec.Struct:
        there = {name: text for name, text in given.items() if text is not None}
        if strange := sorted(set(there) - set(self.names)):
            # A filter that is misspelt must not show everything.
            raise BadRequest(
                f"expected only {', '.join(self.names)} in the {self._what}, got {strange[0][:40]!r}",
                reason=f"bad_{self._what}",
            )
        if any("\x00" in text for text in there.values()):
            raise BadRequest(f"expected no NUL in the {self._what}", reason=f"bad_{self._what}")
        try:
            # Texts: "7" is a number where one is wanted.
            read = msgspec.convert(there, self._kind, strict=False)
        except msgspec.ValidationError as error:
            raise BadRequest(self._expected.explain(error, there), reason=f"bad_{self._what}") from None
        for field in self._fields:
            # Even "null" is what was wanted, to msgspec.
            if field.encode_name in there and getattr(read, field.name) is None:
                raise BadRequest(self._expected.say(field.encode_name, "null"), reason=f"bad_{self._what}")
        return read
