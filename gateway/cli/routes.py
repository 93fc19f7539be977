"""``switchboard routes``: every address that the gateway answers, and on which way.

The gateway is built, not started, and of default settings: routes depend on the code alone, so no store,
account or secret is needed to see them.
"""

from __future__ import annotations

import click
import msgspec

from gateway.app import Gateway
from gateway.cli.table import table
from gateway.settings.load import home_folder
from gateway.settings.secret import Secret
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.telemetry.metrics import Metrics

__all__ = ["routes"]

#: Flask answers these for every route by itself.
_ALWAYS = frozenset({"HEAD", "OPTIONS"})


class Listed(msgspec.Struct, frozen=True):
    """One route.  ``served``: *express* routes are reached ahead of Flask as well, all others through it
    alone.
    """

    path: str
    methods: tuple[str, ...]
    served: str
    name: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def routes(*, as_json: bool) -> None:
    """Show all routes: methods, path, and whether they are express or Flask's."""
    found = _routes()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    rows = [(",".join(one.methods), one.path, one.served, one.name) for one in found]
    click.echo(table(("METHODS", "PATH", "SERVED", "NAME"), rows))


def _routes() -> list[Listed]:
    nowhere = StoreSettings(database_url=Secret("postgresql://"), redis_url=Secret("redis://"))
    gateway = Gateway(Settings(home=home_folder(), accounts={}, assistants={}, store=nowhere), Metrics())
    express = {route.name for route in gateway.wsgi.routes}
    listed = [
        Listed(
            path=rule.rule,
            methods=tuple(sorted((rule.methods or set()) - _ALWAYS)),
            served="express" if rule.endpoint in express else "flask",
            name=rule.endpoint,
        )
        for rule in gateway.flask.url_map.iter_rules()
    ]
    return sorted(listed, key=lambda one: (one.path, one.methods))
