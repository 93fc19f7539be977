"""How commands tell processes what to look at, once it is committed: through Redis, which may be away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.cli.ledger import store_settings
from gateway.settings.jobs import JobSettings
from gateway.store.job_hints import JobHints
from gateway.store.signals import Signals

__all__ = ["hinting"]


@contextmanager
def hinting() -> Iterator[tuple[Signals, JobHints]]:
    """Give both ways: to all processes, and to the owners of jobs' partitions.  Whoever has spoken flushes.

    :raises click.ClickException: the settings are wrong.
    """
    settings = store_settings()
    # A command hears nothing, so it belongs to no audience; and the cap's default will do: what it cuts off is found by
    # a look.
    signals = Signals(settings, audience="gateways", on_hint=lambda _: None)
    hints = JobHints(settings, JobSettings().hints_per_partition_max)
    try:
        yield signals, hints
    finally:
        signals.close()
        hints.close()
