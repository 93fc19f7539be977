"""An assistant that follows a script inside the gateway's process: a fake that ships.

For trials without a service, for benches that must measure the gateway alone, and for tests.  Its replies
pass the same checks as those of a service, so a script cannot do what no service could.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from gateway import telemetry
from gateway.assistants.decode import decode_reply
from gateway.assistants.preview import OnPreview
from gateway.assistants.script import Script, encode_reply
from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.errors import AssistantFailed
from gateway.domain.reply import Reply
from gateway.domain.turn import LaneKey, Turn
from gateway.settings.assistants import AssistantSettings

__all__ = ["ScriptedAssistant"]


class ScriptedAssistant:
    """Answers by *script*, or by the script in *settings*.

    :raises ValueError: a pattern in the settings is no regular expression.
    """

    def __init__(
        self,
        name: str,
        settings: AssistantSettings,
        *,
        script: Script | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._settings = settings
        try:
            self._script = script or Script.of_settings(settings.script)
        except re.error as error:
            raise ValueError(f"assistants.{name}.script: {error.pattern!r} is no pattern: {error}") from None
        self._monotonic = monotonic
        self._sleep = sleep

    def ask(
        self,
        turn: Turn,
        lane_key: LaneKey,
        capabilities: Capabilities,
        deadline: Deadline,
        on_preview: OnPreview,
    ) -> Reply:
        """Do what the script says; see :class:`gateway.assistants.assistant.Assistant`."""
        step = self._script.step(turn.message)
        with telemetry.span(
            "assistant.call", assistant=self.name, turn_id=turn.turn_id, trace_id=turn.trace_id
        ):
            if capabilities.streams:
                for preview in step.previews:
                    on_preview(preview)
            left_s = deadline.left_s(self._monotonic())
            if step.delay_s >= left_s:
                self._sleep(left_s)
                raise AssistantFailed(
                    f"the script of {self.name} was slower than the deadline", reason="timeout"
                )
            if step.delay_s:
                self._sleep(step.delay_s)
            if step.fails_with:
                raise AssistantFailed(f"the script of {self.name} says so", reason=step.fails_with)
            return decode_reply(encode_reply(step.reply), self._settings)
