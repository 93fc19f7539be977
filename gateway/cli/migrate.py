"""``switchboard migrate``: the database's schema and functions, brought to those of this code."""

from __future__ import annotations

import click

from gateway.cli.ledger import database_url
from gateway.cli.telling import told
from gateway.store.migrate import migrate as run_migrations

__all__ = ["migrate"]


@click.command()
def migrate() -> None:
    """Bring the database (DATABASE_URL) to the newest schema.  Safe to run again, and beside another one."""
    with told():
        names = run_migrations(database_url())
    for name in names:
        click.echo(f"Applied {name}.")
    if not names:
        click.echo("The schema is up to date.")
