"""Assistants: are they reached, are they well, and do they take our signature and no other?

What is sent to find out is ``{}``, which is no turn: an assistant that checks what it is sent answers 4xx, and one that
does not has nothing to answer.  An assistant that verifies signatures does so first, so what it says of one that is
right and of none differs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from gateway.assistants.client import Assistants
from gateway.assistants.openai.request import below
from gateway.assistants.service import service_and_path
from gateway.cli.checks.finding import Check, Finding, Visit, fail, ok, warn
from gateway.domain.deadline import Deadline
from gateway.domain.errors import SwitchboardError
from gateway.domain.signing import signature_headers, signing_key
from gateway.rpc import Call, RpcClient, Service
from gateway.rpc.call import endpoint_label
from gateway.settings.assistants import AssistantSettings
from gateway.settings.problems import SettingsError
from gateway.store.ledger.transcripts import Exchange, Past

__all__ = ["CHECKS"]

_PATIENCE_S = 5.0
_REFUSED = (401, 403)
_NO_TURN = b"{}"
_JSON = {"content-type": "application/json"}
_LOOK_AT_URL = "look at its url: a base URL, which mostly ends in /v1 and never in /chat/completions"


def services(visit: Visit) -> Iterator[Finding]:
    """Each copy of each assistant."""
    if visit.settings is None:
        return
    client = RpcClient(visit.settings.rpc)
    try:
        for name, one in sorted(visit.settings.assistants.items()):
            what = f"assistants.{name}"
            try:
                Assistants({name: one}, client, _Unread())
            except SettingsError as error:
                for problem in error.problems:
                    place, _, says = problem.partition(": ")
                    yield fail(place, says, "change it: no gateway starts with it")
                continue
            if one.kind == "scripted":
                yield ok(what, "scripted: answers inside the gateway")
                continue
            service, path = service_and_path(name, one)
            for base_url in service.base_urls:
                copy = Service(endpoint_label(what, base_url, among=len(service.base_urls)), (base_url,))
                yield from _copy(client, copy, path, one)
    finally:
        client.stop(Deadline(time.monotonic()))


class _Unread:
    """The past of conversations, which nobody asks for here."""

    def before(self, past: Past) -> list[Exchange]:
        """Return nothing."""
        return []


def _copy(client: RpcClient, copy: Service, path: str, one: AssistantSettings) -> Iterator[Finding]:
    try:
        if one.health_path:
            yield _healthy(copy, one, _ask(client, copy, "GET", one.health_path, {}))
        if one.kind == "openai":
            yield _model_server(copy, one, _models(client, copy, path, one))
        else:
            yield from _signed(client, copy, path, one)
    except SwitchboardError as error:
        yield fail(copy.name, f"is not reached ({error.reason})", "start it, and look at its url")


def _healthy(copy: Service, one: AssistantSettings, status: int) -> Finding:
    if 200 <= status < 300:
        return ok(copy.name, f"{one.health_path} answers {status}")
    return fail(copy.name, f"{one.health_path} answers {status}: it is taken for sick", "look into its log")


def _signed(client: RpcClient, copy: Service, path: str, one: AssistantSettings) -> Iterator[Finding]:
    keys = [signing_key(secret.reveal()) for secret in one.signing_secrets if secret]
    headers = signature_headers(keys, message_id="doctor", unix_s=int(time.time()), body=_NO_TURN) if keys else ()
    status = _ask(client, copy, "POST", path, {**_JSON, **dict(headers)})
    if status in _REFUSED:
        says = "refuses our signature" if keys else "wants a signature"
        yield fail(copy.name, f"{says} ({status})", "give both sides the same signing secret, and both the right time")
    elif status == 404:
        yield fail(copy.name, f"answers, but nothing is at {path} (404)", "look at the path of its url")
    elif status >= 500:
        yield warn(copy.name, f"is reached, and answers {status} to what is no turn", "look into its log")
    elif not keys:
        yield ok(copy.name, f"is reached ({status})")
    elif _ask(client, copy, "POST", path, _JSON) in _REFUSED:
        yield ok(copy.name, "is reached, takes our signature, and refuses who has none")
    else:
        yield warn(copy.name, "is reached, and answers who does not sign", "have it verify signatures")


def _models(client: RpcClient, copy: Service, path: str, one: AssistantSettings) -> int:
    key = one.openai.api_key
    headers = {"authorization": f"Bearer {key.reveal()}"} if key else {}
    return _ask(client, copy, "GET", below(path, "models"), headers)


def _model_server(copy: Service, one: AssistantSettings, status: int) -> Finding:
    if status in _REFUSED:
        return fail(copy.name, f"refuses our key ({status})", "set openai.api_key to one that stands")
    if 200 <= status < 300:
        return ok(copy.name, f"the model server answers, for {one.openai.model}")
    return warn(copy.name, f"the model server is reached, and answers {status} at /models", _LOOK_AT_URL)


def _ask(client: RpcClient, copy: Service, method: str, path: str, headers: dict[str, str]) -> int:
    body = _NO_TURN if method == "POST" else b""
    call = Call(
        service=copy,
        method=method,
        path=path,
        headers=headers,
        body=body,
        deadline=Deadline(time.monotonic() + _PATIENCE_S),
        retries_max=0,
    )
    return client.call(call).status


CHECKS: list[Check] = [services]
