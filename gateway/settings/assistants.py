"""Assistants: the services that answer turns.

``[assistants.<name>]`` in the TOML file becomes one :class:`AssistantSettings`.  Every bound here protects
the gateway from a service that is not part of it and may be slow, broken or lying; the reason that a turn
fails with names the bound (``gateway/assistants/README.md`` has the table).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.settings.openai import OpenaiSettings
from gateway.settings.quantities import Bytes, Count, Seconds
from gateway.settings.secret import Secret

__all__ = ["AssistantKind", "AssistantSettings", "ScriptRule"]

AssistantKind = Literal["http", "openai", "scripted"]

#: A pause that may be none.
Pause = Annotated[float, Meta(ge=0, le=3_600)]


class ScriptRule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a scripted assistant: what it does when ``pattern`` is found in what the user said."""

    #: Regular expression, searched for without regard to case.
    pattern: str
    #: What it says; ``{text}`` stands for what the user said.
    text: str = ""
    #: Seconds it takes.
    delay_s: Pause = 0.0
    #: Reason to fail with instead of answering; empty: it answers.
    fails_with: str = ""


class AssistantSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How one assistant is called, and how much of it is borne."""

    #: ``http``: a service that is POSTed to.  ``openai``: a model server that speaks OpenAI's chat completions.
    #: ``scripted``: answers by ``script`` inside the gateway, for trials.
    kind: AssistantKind = "http"
    #: Where turns are POSTed (``http``), or the base URL that clients of a model server are given, such as
    #: ``https://api.openai.com/v1`` (``openai``): http, https, or http+unix with the socket's path percent-encoded.
    url: str = ""
    #: Further copies of the same service, each as a whole address with the same path as ``url``: calls are
    #: spread over all of them, and one that is sick is left out.
    replica_urls: tuple[str, ...] = ()
    #: A path that a copy answers to GET with 2xx while it is well, asked every ``rpc.probe_period_s``; empty:
    #: its health is judged by calls alone.  Begins with a slash, and holds visible ASCII.
    health_path: Annotated[str, Meta(pattern=r"^(/[!-\"$-~]*)?$")] = ""
    #: ``whsec_`` and base64 of 24 to 64 bytes, newest first; each live one signs, so that the assistant can
    #: rotate.  None: calls carry no signature, and the assistant cannot tell the gateway from anybody else.
    signing_secrets: tuple[Secret, ...] = ()
    #: The assistant gives the same answer again for an Idempotency-Key that it has seen.  Only then may a
    #: call that it may have received be repeated.
    honours_idempotency_key: bool = False

    #: A call that is later than 95 of 100 is made a second time, and the first answer counts: at most
    #: ``rpc.hedge_ratio`` of the calls, and only with ``honours_idempotency_key``, or of a model server: both are paid.
    hedge: bool = False
    #: Whether responses may come compressed.  Some services gather a stream to compress it.
    gzip: bool = True

    #: Calls under way at one copy at most.
    connections_max: Count = 1_024
    #: Seconds to the response's head above which a call is slow, less than ``first_byte_timeout_s``: when most
    #: are, the copy is taken for sick.
    slow_s: Seconds = 20.0
    #: Seconds for a connection to be made.
    connect_timeout_s: Seconds = 1.0
    #: Seconds from the request's last byte to the response's head.  An assistant that thinks for longer
    #: streams.
    first_byte_timeout_s: Seconds = 30.0
    #: Seconds between two pieces of a response; a comment line (``:``) keeps a stream alive.
    idle_timeout_s: Seconds = 15.0
    #: Seconds for a whole call, its stream included; the turn's own deadline may be sooner.
    total_timeout_s: Seconds = 120.0
    #: Seconds kept back from the deadline that the assistant is told, for its answer to travel and be
    #: settled.
    deadline_margin_s: Pause = 0.25

    #: Bytes of a reply: of a JSON body, or of one event of a stream.
    reply_bytes_max: Bytes = 256 * 1024
    #: Bytes of a whole stream, comments included.  A model server wraps each token in some 400.
    stream_bytes_max: Bytes = 4 * 1024 * 1024
    #: Events of a stream, unknown ones included.
    events_max: Count = 10_000
    #: Bytes of the conversation state that a reply brings, as JSON.
    state_bytes_max: Bytes = 64 * 1024
    #: Bytes of the user memory that a reply brings, as JSON.
    memory_bytes_max: Bytes = 64 * 1024
    #: Levels of objects and arrays inside state and memory.
    nesting_max: Annotated[int, Meta(ge=1, le=200)] = 32

    #: What a model server is asked for (``openai``).
    openai: OpenaiSettings = OpenaiSettings()

    #: Rules of a ``scripted`` assistant, in order; what none of them matches is echoed.
    script: tuple[ScriptRule, ...] = ()
