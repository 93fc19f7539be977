"""Web chat's own side: a browser with our page in it, and one visitor a person.

There is no send API: the page reads a stream, and so does whoever stands in for it (``stream_of``, ``read``).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from gateway.platforms.base import (
    Act,
    Answer,
    Call,
    Control,
    Delivery,
    Inbox,
    Offers,
    Picture,
    Say,
    Scene,
    Seen,
    Served,
    Shows,
    Signed,
    Unprovable,
    json_answer,
    letters,
)
from gateway.settings.accounts import WebchatAccount

__all__ = ["WebchatPlatform", "accepted_seq", "read", "stream_of"]


class WebchatPlatform:
    """:class:`gateway.platforms.base.Platform`."""

    name = "webchat"
    shows: frozenset[Shows] = frozenset({"controls", "pictures"})
    offers: frozenset[Offers] = frozenset()
    inbox: Inbox = "stream"

    def __init__(self, home: Path) -> None:
        """A browser keeps nothing in *home*: who somebody is, is made of their name."""

    def api_base_url(self, account: WebchatAccount) -> str:
        return ""

    def place(self, account: WebchatAccount, scene: Scene) -> str:
        return f"{_visitor_id(scene)}:{_chat(scene)}"

    def deliver(self, account: WebchatAccount, scene: Scene, act: Act) -> Delivery:
        said: dict[str, Any] = {"text": act.text} if isinstance(act, Say) else act.control.token
        body = {"id": f"trial-{scene.number:016d}", "chat": _chat(scene), **said}
        path = f"/hooks/webchat/{account.name}"
        return Delivery(msgspec.json.encode(body), path, speaker=_visitor_id(scene))

    def twin(self, account: WebchatAccount, scene: Scene, act: Act) -> Delivery | None:
        return None

    def signed(self, account: WebchatAccount, delivery: Delivery, *, at_s: float, repeat: int = 0) -> Signed:
        headers = {
            "Content-Type": delivery.content_type,
            "Cookie": _cookie(account, delivery.speaker, at_s),
        }
        return Signed(delivery.path, headers, delivery.body)

    def answered(self, account: WebchatAccount, delivery: Delivery, answer: Answer) -> tuple[Seen, ...]:
        if answer.status < 400:
            return ()
        try:
            why = msgspec.json.decode(answer.body, type=dict).get("message", "")
        except (msgspec.DecodeError, msgspec.ValidationError):
            why = ""
        return (Seen(why or f"It was not accepted ({answer.status}).", notes=("beside what you said",)),)

    def served(self, account: WebchatAccount, call: Call) -> Served:
        return Served(json_answer({"error": "a web page is not called"}, 404))

    def refusal(self, status: Literal[429, 500], retry_after_s: int) -> Answer:
        return json_answer({"error": "a web page is not called"}, status, {"retry-after": str(retry_after_s)})


def stream_of(account: WebchatAccount, scene: Scene, *, after_seq: int | None = None) -> Signed:
    """Return the page's request for its stream: what was said behind *after_seq*, and then what is being said."""
    headers = {
        "Accept": "text/event-stream",
        "Cookie": _cookie(account, _visitor_id(scene), scene.at_s),
    }
    if after_seq is not None:
        headers["Last-Event-ID"] = str(after_seq)
    return Signed(f"/chat/{account.name}/events?chat={_chat(scene)}", headers, b"", "GET")


def accepted_seq(answer: Answer) -> int | None:
    """Return the place of a message that the gateway took; None: it took none."""
    if answer.status != 202:
        return None
    try:
        seq = msgspec.json.decode(answer.body, type=dict).get("seq")
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    return seq if isinstance(seq, int) else None


def read(parts: list[dict[str, Any]]) -> Seen:
    """Return what a visitor sees of an answer's parts."""
    return Seen(
        "\n".join(line for part in parts for line in _lines(part)),
        tuple(control for part in parts for control in _controls(part)),
        tuple(picture for part in parts for picture in _pictures(part)),
    )


def _cookie(account: WebchatAccount, visitor_id: str, at_s: float) -> str:
    secret = next((each for each in account.cookie_secrets if each.reveal().strip()), None)
    if secret is None:
        raise Unprovable(f"accounts.webchat.{account.name}.cookie_secrets is empty")
    issued = str(int(at_s))
    proved = f"webchat|{account.name}|{visitor_id}|{issued}".encode()
    signature = hmac.new(secret.reveal_bytes(), proved, "sha256").hexdigest()
    return f"switchboard_{account.name}={visitor_id}.{issued}.{signature}"


def _visitor_id(scene: Scene) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(f"visitor {scene.user}".encode()).digest()[:18]).decode()


def _chat(scene: Scene) -> str:
    return letters(scene.thread, 12) if scene.thread else "main"


def _lines(part: dict[str, Any]) -> Iterator[str]:
    match part["type"]:
        case "text" | "speech":
            yield part["text"]
        case "card":
            yield from (part[name] for name in ("title", "subtitle", "text") if part.get(name))
        case "list":
            if part.get("title"):
                yield part["title"]
            for number, item in enumerate(part["items"], 1):
                mark = f"{number}." if part.get("numbered") else "•"
                yield f"{mark} {item['title']}" + (f": {item['text']}" if item.get("text") else "")
        case "buttons":
            if part.get("text"):
                yield part["text"]
        case "image":
            if part.get("title"):
                yield part["title"]
        case "audio":
            yield f"♪ {part.get('title') or 'Audio'}: {part['transcript']} ({part['url']})"
        case "file":
            yield f"{part['name']} ({part['url']})"


def _controls(part: dict[str, Any]) -> Iterator[Control]:
    for button in part.get("buttons", ()):
        tap = {"name": "button", "value": button.get("value", ""), "label": button["label"]}
        yield Control(button["label"], {"tap": tap}, button.get("url", ""))
    for item in part.get("items", ()):
        if item.get("value"):
            tap = {"name": "item", "value": item["value"], "label": item["title"]}
            yield Control(item["title"], {"tap": tap})
    if part["type"] == "suggestions":
        for words in part["texts"]:
            yield Control(words, {"text": words})


def _pictures(part: dict[str, Any]) -> Iterator[Picture]:
    if part["type"] == "image":
        yield Picture(part["url"], part["alt"])
    for held in (part, *part.get("items", ())):
        if isinstance(image := held.get("image"), dict):
            yield Picture(image["url"], image["alt"])
