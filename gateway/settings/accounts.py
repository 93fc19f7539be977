"""Accounts: one bot or installation on a channel, with its secrets, tenant label and assistant.

``[accounts.<channel>.<name>]`` in the TOML file becomes one of these; the address of an account is
``/hooks/<channel>/<name>``.  Secrets are lists, newest first, because a rotation needs two live ones at once;
an empty list means that nothing can be proved, so everything is refused.
"""

from __future__ import annotations

import msgspec

from gateway.settings.quantities import Count, Days, Rate
from gateway.settings.secret import Secret

__all__ = ["ACCOUNT_TYPES", "Account", "SlackAccount", "WebchatAccount"]

DEFAULT_APOLOGY = "Sorry, I could not answer that just now. Please try again in a moment."
DEFAULT_BUSY = "I am still busy with your earlier messages. Please try again in a moment."


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What every channel's account has.  ``channel`` and ``name`` are the keys of its table."""

    channel: str
    name: str
    #: Name of the assistant (``[assistants.<name>]``) that answers here.
    assistant: str
    #: Whose account it is: metrics of several accounts are summed by it (``switchboard_account_tenant``).
    tenant: str = "default"
    #: What the user reads when the assistant failed.
    apology: str = DEFAULT_APOLOGY
    #: What the user reads when a bound refuses the message and the platform would not send it again.
    busy: str = DEFAULT_BUSY


class SlackAccount(Account, frozen=True, kw_only=True):
    """A Slack app.  https://docs.slack.dev/authentication/verifying-requests-from-slack"""

    #: Signing secrets of the app, newest first; any of them proves a delivery.
    signing_secrets: tuple[Secret, ...] = ()
    #: Bot token (``xoxb-``) with which replies are posted.
    bot_token: Secret = Secret("")
    #: Root of Slack's Web API.
    api_base_url: str = "https://slack.com/api"
    #: Hosts that a ``response_url`` may name; anything else is refused, whatever the payload says.
    response_url_hosts: tuple[str, ...] = ("hooks.slack.com",)
    #: Messages posted to one channel in a second, in the long run; more of them wait.  Slack's own figure.
    channel_posts_per_s: Rate = 1.0
    #: Messages posted to one channel at once after a pause.  Slack allows "short bursts" and names no figure.
    channel_posts_burst: Count = 3


class WebchatAccount(Account, frozen=True, kw_only=True):
    """A chat page at ``/chat/<name>``."""

    #: Keys that sign the visitor's cookie, newest first; any of them proves a visitor.
    cookie_secrets: tuple[Secret, ...] = ()
    #: Title of the page; empty: the account's name.
    title: str = ""
    #: What the page says before the first message.
    greeting: str = ""
    #: What the page offers to say first.
    suggestions: tuple[str, ...] = ()
    #: Days a visitor is remembered.
    cookie_days: Days = 180.0
    #: Set the Secure attribute.  Off only because the working default speaks plain HTTP to this machine.
    cookie_secure: bool = False


ACCOUNT_TYPES: dict[str, type[Account]] = {"slack": SlackAccount, "webchat": WebchatAccount}
