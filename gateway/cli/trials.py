"""How ``simulate``, ``chat`` and ``play`` find what they try: the settings, the gateway that runs, the stand-in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from gateway.cli.given import Origin
from gateway.embedded.addresses import gateway_origin, kept
from gateway.embedded.home import Home
from gateway.embedded.programs import Plan
from gateway.platforms.base import Control, Offers, Picture, Seen, Unprovable
from gateway.platforms.calls import NotThere
from gateway.platforms.registry import platforms
from gateway.platforms.trial import Trial
from gateway.settings.load import SettingsError, home_folder, load
from gateway.settings.problems import did_you_mean
from gateway.settings.settings import Settings

__all__ = ["Trials", "controls_text", "gateway_option", "said", "seen_text", "told"]

gateway_option = click.option(
    "--gateway",
    type=Origin(),
    metavar="URL",
    help="Where the gateway is, if not where SWITCHBOARD_HOME says; the secrets are read there all the same.",
)


class Trials:
    """The accounts that can be tried, as the gateway knows them.

    *gateway*: where it is, if neither this home nor the settings say so.

    :raises click.ClickException: the settings are wrong, or there are none.
    """

    def __init__(self, gateway: str | None = None) -> None:
        home = Home(home_folder())
        running = kept(home)
        environ = Plan(home, os.environ).environment if running else os.environ
        try:
            self.settings: Settings = load(None, environ)
        except SettingsError as error:
            if running is None and "DATABASE_URL" not in os.environ:
                # Without a copy that runs here everything is missing: one reason is enough.
                remedy = "start `switchboard up`, or set SWITCHBOARD_HOME to the home of one that runs"
                if gateway is not None:
                    remedy += "; --gateway alone is not enough, since the secrets that sign a delivery are there"
                raise click.ClickException(f"nothing runs in SWITCHBOARD_HOME ({home.root}): {remedy}") from None
            raise click.ClickException(str(error)) from None
        self.gateway = gateway or (running.gateway if running else gateway_origin(self.settings.server))
        self.stand_in = environ.get("PLATFORMS_URL", "") if not running else running.stand_in
        self._platforms = platforms(self.settings.home)

    def trial(self, channel: str, account: str) -> Trial:
        """Return the trial of one account.

        :raises click.UsageError: there is no such channel or account.
        """
        platform = self._platforms.get(channel)
        if platform is None:
            names = ", ".join(self._platforms)
            raise click.UsageError(
                f"there is no channel {channel!r}{did_you_mean(channel, self._platforms)}; expected one of {names}"
            )
        settings = self.settings.accounts.get((channel, account))
        if settings is None:
            others = [name for at, name in self.settings.accounts if at == channel]
            known = f"expected one of {', '.join(others)}" if others else f"the settings have none (accounts.{channel})"
            raise click.UsageError(f"there is no account {account!r} on {channel}; {known}")
        return Trial(platform, settings, gateway=self.gateway, stand_in=self.stand_in)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that can be tried."""
        return tuple(self._platforms)

    def offering(self, what: Offers) -> tuple[str, ...]:
        """The channels that have *what*."""
        return tuple(name for name, platform in self._platforms.items() if what in platform.offers)


@contextmanager
def told(trials: Trials) -> Iterator[None]:
    """Tell a person what to do when a part of the trial is not there."""
    try:
        yield
    except NotThere as error:
        remedy = (
            "it is the platforms' stand-in, a part of `switchboard up`: is that running?"
            if error.origin == trials.stand_in
            else "start `switchboard up`, or name a gateway that runs with --gateway"
        )
        raise click.ClickException(f"{error}; {remedy}") from None
    except Unprovable as error:
        raise click.ClickException(f"{error}: there is nothing to prove a delivery by") from None


def seen_text(seen: Seen, *, indent: str = "  ") -> str:
    """Return one message as a terminal shows it: words, pictures, numbered controls, and what is peculiar about it."""
    lines = said(seen.text).split("\n") if seen.text.strip() else []
    lines += [_picture(picture) for picture in seen.pictures]
    lines += controls_text(seen.controls)
    for note in seen.notes:
        lines += f"({said(note)})".split("\n")
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def controls_text(controls: tuple[Control, ...]) -> list[str]:
    """Return controls with the numbers by which they are tapped."""
    return [
        f"[{number}] {said(control.label)}" + (f" → {said(control.url)}" if control.url else "")
        for number, control in enumerate(controls, 1)
    ]


def said(text: str) -> str:
    """Return *text* without what a terminal would obey: it is an assistant's, or a user's."""
    return "".join(char if char == "\n" or char.isprintable() else "\ufffd" for char in text)


def _picture(picture: Picture) -> str:
    return f"[image: {said(picture.alt)}] {said(picture.url)}"
