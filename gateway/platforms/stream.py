"""Web chat's stream, read as our page reads it: for as long as it is wanted, over as many connections as it takes.

A connection asks for what came behind the last settled turn, so it does not matter when or why one ended.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.platforms.base import Scene
from gateway.platforms.calls import NotThere, connect, why
from gateway.platforms.events import Event, events
from gateway.platforms.webchat import stream_of
from gateway.settings.accounts import WebchatAccount

__all__ = ["Stream"]

#: Seconds in which the past has been told.
READY_S_MAX = 15.0
#: Seconds between two connections.
AGAIN_S = 0.5

#: Takes an event: its name and its data.
Take = Callable[[str, dict[str, Any]], None]


class Stream:
    """One visitor's stream.  *take* is called from a thread of its own, one event at a time."""

    def __init__(self, gateway: str, account: WebchatAccount, scene: Scene, take: Take) -> None:
        self._gateway = gateway
        self._account = account
        self._scene = scene
        self._take = take
        self._is_ready = threading.Event()
        self._seq: int | None = None
        self._closed = False
        self._failure: NotThere | None = None
        self._connection: http.client.HTTPConnection | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the past has been told: what comes now is news."""
        return self._is_ready.is_set()

    def start(self) -> None:
        """Return when the past has been told.

        :raises NotThere: nobody tells it.
        :raises gateway.platforms.base.Unprovable: the account has no secret.
        """
        # Here, where somebody hears of it.
        stream_of(self._account, self._scene)
        threading.Thread(target=self._run, daemon=True).start()
        if not self._is_ready.wait(READY_S_MAX):
            self.close()
            raise NotThere(self._gateway, f"does not open its stream within {READY_S_MAX:.0f} s")
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Read no more.  Safe twice."""
        self._closed = True
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()

    def _run(self) -> None:
        while not self._closed:
            try:
                self._read()
            # The last two are http.client's own, when its connection is closed under it.
            except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
                if not self._is_ready.is_set():
                    self._failure = NotThere(self._gateway, f"does not answer: {why(error)}")
                    self._is_ready.set()
                    return
            if not self._closed:
                time.sleep(AGAIN_S)

    def _read(self) -> None:
        scene = msgspec.structs.replace(self._scene, at_s=time.time())
        signed = stream_of(self._account, scene, after_seq=self._seq if self._is_ready.is_set() else None)
        self._connection = connect(self._gateway)
        with contextlib.closing(self._connection):
            self._connection.request(signed.method, signed.path, headers=dict(signed.headers))
            response = self._connection.getresponse()
            with contextlib.closing(response):
                if response.status != 200:
                    raise http.client.HTTPException(f"status {response.status}")
                for event in events(iter(response.readline, b"")):
                    self._tell(event)

    def _tell(self, event: Event) -> None:
        data = msgspec.json.decode(event.data, type=dict[str, Any])
        self._take(event.name, data)
        if event.name == "turn":
            # Known to be told only when it has been.
            self._seq = data["seq"]
        elif event.name == "ready":
            self._is_ready.set()
        elif event.name == "displaced":
            self._closed = True
