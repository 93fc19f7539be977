"""The gateway with a window: ``/census`` tells how many greenlets live in it, ``/stacks`` where each one stands.

Only for tests: the gateway itself is not changed, only stood behind.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec
import psutil
from gevent.util import format_run_info
from greenlet import greenlet

from gateway.wsgi import app as _gateway
from tests.soak.census import Census

__all__ = ["app"]


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer the two questions, and leave everything else to the gateway."""
    match environ["PATH_INFO"]:
        case "/census":
            return _answer(start_response, msgspec.json.encode(_count()))
        case "/stacks":
            return _answer(start_response, "\n".join(format_run_info()).encode())
        case _:
            return _gateway(environ, start_response)


def _count() -> Census:
    gc.collect()
    objects = gc.get_objects()
    me = psutil.Process(os.getpid())
    return Census(
        # One that is dead, or not yet started, has no stack.
        greenlets=sum(1 for each in objects if isinstance(each, greenlet) and each.gr_frame is not None),
        descriptors=me.num_fds(),
        resident_bytes=me.memory_info().rss,
        objects=len(objects),
    )


def _answer(start_response: StartResponse, body: bytes) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
