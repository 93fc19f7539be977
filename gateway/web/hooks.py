"""``/hooks/<channel>/<account>``: where platforms call.  The pipeline does the rest."""

from __future__ import annotations

from gateway import telemetry
from gateway.domain.errors import SwitchboardError
from gateway.domain.http import Request, Response
from gateway.pipeline import Door
from gateway.web.express import Route

__all__ = ["hook_routes"]


def hook_routes(door: Door) -> list[Route]:
    """Return the webhook route of all accounts."""

    def hook(request: Request, channel: str, account: str) -> Response:
        try:
            response = door.receive(channel, account, request)
        except SwitchboardError as error:
            _tell(channel if error.reason != "unknown_account" else "unknown", account, error)
            raise
        telemetry.event("delivery.received", channel=channel, account=account, outcome=response.status)
        return response

    # GET: some platforms prove the address with a handshake of that method; a channel that has none refuses it.
    return [Route(("GET", "POST"), "/hooks/<channel>/<account>", hook, name="hooks")]


def _tell(channel: str, account: str, error: SwitchboardError) -> None:
    # A name that is not in the settings is a stranger's: it must not become a label.
    known = account if channel != "unknown" else "unknown"
    telemetry.event("delivery.received", channel=channel, account=known, outcome=error.status)
