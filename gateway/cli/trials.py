"""How ``simulate``, ``chat`` and ``play`` find what they try: the settings, the gateway that runs, the stand-in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from gateway.embedded.addresses import kept
from gateway.embedded.home import Home
from gateway.embedded.programs import Plan
from gateway.platforms.base import Control, Picture, Seen
from gateway.platforms.calls import NotThere
from gateway.platforms.registry import platforms
from gateway.platforms.trial import Trial
from gateway.settings.load import SettingsError, home_folder, load
from gateway.settings.problems import did_you_mean
from gateway.settings.server import ServerSettings
from gateway.settings.settings import Settings

__all__ = ["Trials", "controls_text", "said", "seen_text", "told"]


class Trials:
    """The accounts that can be tried, as the gateway knows them.

    *gateway*: where it is, if neither this home nor the settings say so.

    :raises click.ClickException: the settings are wrong, or there are none that fit.
    """

    def __init__(self, gateway: str = "") -> None:
        home = Home(home_folder())
        running = kept(home)
        environ = Plan(home, os.environ).environment if running else os.environ
        try:
            self.settings: Settings = load(None, environ)
        except SettingsError as error:
            if running is None and "DATABASE_URL" not in os.environ:
                # Without a copy that runs here everything is missing: one reason is enough.
                raise click.ClickException(
                    f"nothing runs in SWITCHBOARD_HOME ({home.root}): start `switchboard up`, or say where it runs"
                ) from None
            raise click.ClickException(str(error)) from None
        self.gateway = gateway or (running.gateway if running else _address(self.settings.server))
        self.stand_in = environ.get("PLATFORMS_URL", "") if not running else running.stand_in
        self._platforms = platforms(self.settings.home)

    def trial(self, channel: str, account: str) -> Trial:
        """Return the trial of one account.

        :raises click.ClickException: there is no such channel or account.
        """
        platform = self._platforms.get(channel)
        if platform is None:
            names = ", ".join(self._platforms)
            raise click.ClickException(
                f"there is no channel {channel!r}{did_you_mean(channel, self._platforms)}; expected one of {names}"
            )
        settings = self.settings.accounts.get((channel, account))
        if settings is None:
            others = [name for at, name in self.settings.accounts if at == channel]
            known = f"expected one of {', '.join(others)}" if others else f"the settings have none (accounts.{channel})"
            raise click.ClickException(f"there is no account {account!r} on {channel}; {known}")
        return Trial(platform, settings, gateway=self.gateway, stand_in=self.stand_in)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that can be tried."""
        return tuple(self._platforms)


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
    except ValueError as error:
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


def _address(server: ServerSettings) -> str:
    host = "127.0.0.1" if server.host in ("0.0.0.0", "") else server.host  # noqa: S104  # nothing is bound here
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}"
