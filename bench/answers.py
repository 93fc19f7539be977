"""Are the answers right?  A thousand questions that nobody could have learned by heart, each answer looked at whole.

Asked before and after every measured run.  wrk looks at each answer of the run itself, but only at its status and its
length: those are learned here, from an answer that was right.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from bench.generator import ECHO_BODY, Expected
from bench.keys import KEYS, Keys, a_value
from bench.load import Answer, each_once

__all__ = ["QUESTIONS", "Check", "WrongAnswer", "check_echo", "check_get", "check_put", "check_rpc"]

QUESTIONS = 1_000
_CALLERS = 64
#: Callers who wait together, or a thousand waits of 50 ms would take a minute.
_RPC_CALLERS = 250
#: Node's timers may fire a millisecond early.
_RPC_WAIT_MIN_S = 0.049


class WrongAnswer(Exception):
    """A contestant does not do what is measured; says what it did."""


class Check(Protocol):
    """Asks the server on a port, and returns what a right answer looks like to wrk."""

    def __call__(self, port: int, keys: Keys, /, *, questions: int = QUESTIONS) -> Expected:
        """Ask so many questions; :exc:`WrongAnswer` if one is answered wrongly."""
        ...


def check_echo(port: int, _: Keys, /, *, questions: int = QUESTIONS) -> Expected:
    """POST JSON of many shapes; the same value must come back."""
    bodies = [*(msgspec.json.encode(_anything()) for _ in range(questions)), ECHO_BODY]
    answers = _ask(port, [_request("POST", "/bench/echo", body) for body in bodies])
    for body, answer in zip(bodies, answers, strict=True):
        _must(answer.status == 200, f"status {answer.status}")
        _must(_decoded(answer.body) == msgspec.json.decode(body), f"not the echo of {body[:80]!r}")
    return Expected(200, len(answers[-1].body))


def check_rpc(port: int, _: Keys, /, *, questions: int = QUESTIONS) -> Expected:
    """GET; an object must come back, not before the wait is over."""
    answers = _ask(port, [_request("GET", "/bench/rpc")] * questions, _RPC_CALLERS)
    for answer in answers:
        _must(answer.status == 200, f"status {answer.status}")
        _must(isinstance(_decoded(answer.body), dict), "not an object")
        _must(answer.took_s >= _RPC_WAIT_MIN_S, f"did not wait: {answer.took_s * 1e3:.1f} ms")
    return _alike(answers)


def check_get(port: int, keys: Keys, /, *, questions: int = QUESTIONS) -> Expected:
    """GET values that were changed in PostgreSQL a moment ago: whoever remembers older ones is found out."""
    wanted = keys.change("get", questions)
    answers = _ask(port, [_request("GET", f"/bench/kvs/{key}") for key in wanted])
    for (key, value), answer in zip(wanted.items(), answers, strict=True):
        _must(answer.status == 200, f"status {answer.status}")
        _must(answer.body == value.encode(), f"not what PostgreSQL has for {key}")
    return _alike(answers)


def check_put(port: int, keys: Keys, /, *, questions: int = QUESTIONS) -> Expected:
    """PUT values; PostgreSQL must have them."""
    written = {f"put-{number:05d}": a_value() for number in random.sample(range(KEYS), questions)}
    answers = _ask(port, [_request("PUT", f"/bench/kvs/{key}", v.encode()) for key, v in written.items()])
    for answer in answers:
        _must(answer.status in (200, 201, 204), f"status {answer.status}")
    kept = keys.read(list(written))
    for key, value in written.items():
        _must(kept.get(key) == value, f"PostgreSQL does not have what was put for {key}")
    return _alike(answers)


def _ask(port: int, requests: Sequence[bytes], callers_n: int = _CALLERS) -> list[Answer]:
    try:
        return each_once("127.0.0.1", port, requests, callers_n=callers_n)
    except (OSError, ValueError) as error:
        raise WrongAnswer(f"no answer: {error!r}") from error


def _request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def _alike(answers: Sequence[Answer]) -> Expected:
    """Return what all answers look like; wrk could not check answers of several kinds."""
    kinds = {(answer.status, len(answer.body)) for answer in answers}
    _must(len(kinds) == 1, f"answers of different lengths: {sorted(kinds)[:3]}")
    return Expected(*kinds.pop())


def _must(right: bool, otherwise: str) -> None:
    if not right:
        raise WrongAnswer(otherwise)


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise WrongAnswer(f"not JSON: {body[:80]!r}") from None


def _anything(depth: int = 0) -> object:
    """Return a value that JSON can carry, of any shape."""
    plain: tuple[Callable[[], object], ...] = (
        lambda: random.randint(-(2**53), 2**53),
        lambda: random.randint(-1_000_000, 1_000_000) / 64,
        lambda: random.choice([True, False, None, "", 0, [], {}]),
        lambda: "".join(random.choices('abc "\\/\n\té漢🍸', k=random.randint(1, 40))),
    )
    if depth == 3:
        return random.choice(plain)()
    inner = [_anything(depth + 1) for _ in range(random.randint(1, 4))]
    if depth and random.random() < 0.5:
        return inner
    return {f"{number}-{random.getrandbits(24):x}": value for number, value in enumerate(inner)}
