"""``python -m gateway.cli`` is the command ``switchboard`` where its script is not on the PATH."""

from __future__ import annotations

from gateway.cli import main

main()
