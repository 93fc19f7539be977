"""The settings of the processes beside this command: those of the environment, or of the `switchboard up` that runs."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gateway.embedded.addresses import Addresses, kept
from gateway.embedded.home import Home
from gateway.embedded.programs import Plan
from gateway.settings.load import home_folder

__all__ = ["environment", "running"]


def running() -> Addresses | None:
    """Return where the `switchboard up` of SWITCHBOARD_HOME is reached; None: there is none, as in production."""
    return kept(Home(home_folder()))


def environment() -> Mapping[str, str]:
    """Return this process's environment, with the addresses that `switchboard up` gives to its programs if one runs."""
    return Plan(Home(home_folder()), os.environ).environment if running() else os.environ
