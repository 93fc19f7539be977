"""Operations: what the API can be asked to do, each declared once, and read from its function alone.

    @operation("PUT", "/breakers/{endpoint}", scope="breakers:write", problems=(404,))
    def put(self, endpoint: str, body: NewOrder, caller: Caller) -> Order:
        '''Order something of an endpoint's circuit. ...'''

What is decoded, what is answered and what the document says of both come from the same annotations:

| parameter          | is given                                                                      |
|--------------------|-------------------------------------------------------------------------------|
| one of the path    | what stands there: a whole number or a text                                    |
| `query`            | a struct of the words behind the question mark; one that it does not have is refused |
| `headers`          | a struct of headers, by their names                                            |
| `body`             | a struct of the JSON in the body                                               |
| `caller`           | who calls                                                                      |

The answer is a struct with ``status``, a struct :class:`Located` somewhere, or None: 204.

A function without a scope cannot be an operation: the argument has no default.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec

from gateway.domain.api_token import Scope

__all__ = ["OPEN", "Caller", "Located", "Operation", "operation", "operations"]

#: Of an operation that needs no token: what it tells is the same for everybody.
OPEN: Literal["open"] = "open"
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_DECLARED = "__operation__"

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class Caller(msgspec.Struct, frozen=True):
    """Who calls, as orders and dead letters name them."""

    by: str


class Located(msgspec.Struct, Generic[T], frozen=True):
    """An answer, and the address of what was made, below the API's root."""

    answer: T
    location: str


class _Declared(msgspec.Struct, frozen=True):
    """What stands above the function."""

    method: str
    path: str
    scope: Scope | Literal["open"]
    status: int
    problems: Sequence[int]
    #: Or where the resource says so.
    body_bytes_max: int | str
    repairs: bool
    logged: bool


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation, ready to be run and described."""

    #: Unlike any other's: ``breakers_put``.
    name: str
    method: str
    #: Below the API's root, with ``{placeholders}``.
    path: str
    scope: Scope | Literal["open"]
    #: Where nothing is refused.
    status: int
    #: Refusals of its own, beside those that all have.
    problems: tuple[int, ...]
    summary: str
    description: str
    run: Callable[..., Any]
    #: Whether the function wants to know who calls.
    wants_caller: bool
    #: int, or str with what is known of it.
    path_types: dict[str, Any]
    query: type[msgspec.Struct] | None
    headers: type[msgspec.Struct] | None
    body: type[msgspec.Struct] | None
    body_bytes_max: int
    #: Characters of the body that no store keeps are replaced, as those of a reply.
    repairs: bool
    #: Who had it done is told in the log: of orders and erasures nothing else says so.
    logged: bool
    #: None: nothing.
    answer: Any
    located: bool


def operation(
    method: str,
    path: str,
    *,
    scope: Scope | Literal["open"],
    status: int = 200,
    problems: Sequence[int] = (),
    body_bytes_max: int | str = 8_192,
    repairs: bool = False,
    logged: bool = True,
) -> Callable[[F], F]:
    """Declare a method of a resource to be an operation, which asks for *scope*.

    *logged*: who had it done is told in the log, unless it only shows something.
    """

    def declare(function: F) -> F:
        setattr(function, _DECLARED, _Declared(method, path, scope, status, problems, body_bytes_max, repairs, logged))
        return function

    return declare


def operations(resource: object) -> Iterator[Operation]:
    """Yield the operations of *resource*, in the order in which they are written."""
    for name in vars(type(resource)):
        run = getattr(resource, name)
        if isinstance(declared := getattr(run, _DECLARED, None), _Declared):
            bytes_max = declared.body_bytes_max
            yield _operation(
                f"{_snake(type(resource).__name__)}_{name.strip('_')}",
                run,
                declared,
                bytes_max if isinstance(bytes_max, int) else getattr(resource, bytes_max),
            )


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _operation(name: str, run: Callable[..., Any], declared: _Declared, body_bytes_max: int) -> Operation:
    hints = typing.get_type_hints(run, include_extras=True)
    in_path = _PLACEHOLDER.findall(declared.path)
    given = [word for word in inspect.signature(run).parameters if word not in in_path]
    if strange := [word for word in given if word not in {"query", "headers", "body", "caller"}]:
        raise TypeError(f"{name} takes {strange[0]}, which no request has")
    answer, located = hints["return"], False
    if typing.get_origin(answer) is Located:
        [answer], located = typing.get_args(answer), True
    if answer is types.NoneType:
        answer = None
    summary, _, description = inspect.cleandoc(run.__doc__ or "").partition("\n\n")
    return Operation(
        name=name,
        method=declared.method,
        path=declared.path,
        scope=declared.scope,
        status=204 if answer is None else declared.status,
        problems=tuple(declared.problems),
        summary=" ".join(summary.split()).removesuffix("."),
        description=description,
        run=run,
        wants_caller="caller" in given,
        path_types={word: hints[word] for word in in_path},
        query=hints.get("query"),
        headers=hints.get("headers"),
        body=hints.get("body"),
        body_bytes_max=body_bytes_max,
        repairs=declared.repairs,
        logged=declared.logged and declared.method != "GET",
        answer=answer,
        located=located,
    )
