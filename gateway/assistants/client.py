"""All assistants by name: each is built once, by the factory of its kind.

A new kind is one module with a class that keeps the :class:`~gateway.assistants.assistant.Assistant`
protocol, and one line in :data:`KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.assistants.assistant import Assistant
from gateway.assistants.http import HttpAssistant
from gateway.assistants.openai.assistant import OpenaiAssistant
from gateway.assistants.recalling import Recalling
from gateway.assistants.scripted import ScriptedAssistant
from gateway.assistants.service import NO_SHARERS, Sharers
from gateway.assistants.transcript import Transcript
from gateway.domain.errors import NotFound
from gateway.rpc.client import RpcClient
from gateway.settings.assistants import AssistantKind, AssistantSettings
from gateway.settings.problems import SettingsError

__all__ = ["KINDS", "Assistants"]

_Factory = Callable[[str, AssistantSettings, RpcClient, Transcript, Sharers], Assistant]
KINDS: Mapping[AssistantKind, _Factory] = {
    "http": lambda name, settings, rpc, _, sharers: HttpAssistant(name, settings, rpc, sharers=sharers),
    "openai": lambda name, settings, rpc, transcript, sharers: OpenaiAssistant(
        name, settings, rpc, transcript, sharers=sharers
    ),
    "scripted": lambda name, settings, _rpc, _, _sharers: ScriptedAssistant(name, settings),
}


class Assistants:
    """The configured assistants.

    *sharers* say for whom an account asks (:attr:`gateway.settings.accounts.Account.sharer`); without them each account
    asks for itself.

    :raises SettingsError: what cannot work in their settings, of all of them; no secret is shown.
    """

    def __init__(
        self,
        settings: Mapping[str, AssistantSettings],
        rpc: RpcClient,
        transcript: Transcript,
        *,
        sharers: Sharers = NO_SHARERS,
    ) -> None:
        self._by_name: dict[str, Assistant] = {}
        problems = []
        for name, each in settings.items():
            try:
                self._by_name[name] = Recalling(KINDS[each.kind](name, each, rpc, transcript, sharers), transcript)
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise SettingsError(tuple(problems))

    def get(self, name: str) -> Assistant:
        """Return the assistant called *name*.

        :raises NotFound: the settings have none; loading them checks every account's, so this is a late
            catch.
        """
        assistant = self._by_name.get(name)
        if assistant is None:
            raise NotFound(
                f"there is no assistant {name!r}: see [assistants] in the settings", reason="no_assistant"
            )
        return assistant
