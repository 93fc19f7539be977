"""Accounts: one bot or installation on a channel, with its secrets, tenant label and assistant.

``[accounts.<channel>.<name>]`` in the TOML file becomes one of these; the address of an account is
``/hooks/<channel>/<name>``.  Secrets are lists, newest first, because a rotation needs two live ones at once;
an empty list means that nothing can be proved, so everything is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.settings.quantities import Count, Days, Rate
from gateway.settings.secret import Secret

__all__ = [
    "ACCOUNT_TYPES",
    "Account",
    "AlexaAccount",
    "KeepingAccount",
    "SlackAccount",
    "SlackWorkspace",
    "TelegramAccount",
    "WebchatAccount",
]

DEFAULT_TENANT = "default"
DEFAULT_APOLOGY = "Sorry, I could not answer that just now. Please try again in a moment."
DEFAULT_BUSY = "I am still busy with your earlier messages. Please try again in a moment."
#: Ids of workspaces and, for an app that an organization has installed for all of its own, of organizations.
_SLACK_TEAM = re.compile(r"[TE][A-Z0-9]{1,31}")
#: A tenant is a label of metrics and a word of the log.
_TENANT_CHARS_MAX = 64


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What every channel's account has.  ``channel`` and ``name`` are the keys of its table."""

    channel: str
    name: str
    #: Name of the assistant (``[assistants.<name>]``) that answers here.
    assistant: str
    #: Whose account it is: metrics of several accounts are summed by it (``switchboard_account_tenant``), the log names
    #: it, and bounds and turns at a queue are shared out by it.  Who names none is a tenant by itself in the latter.
    tenant: str = DEFAULT_TENANT
    #: What the user reads when the assistant failed.
    apology: str = DEFAULT_APOLOGY
    #: What the user reads when a bound refuses the message and the platform would not send it again.
    busy: str = DEFAULT_BUSY

    def __post_init__(self) -> None:
        _check_tenant(self.tenant)

    @property
    def sharer(self) -> str:
        """Return the name by which what there is, is shared out: the tenant's, or of one that names none the account's.

        Else all accounts of a copy without tenants would be one, and the busiest of them would take the others' part.
        """
        return f"{self.channel}/{self.name}" if self.tenant == DEFAULT_TENANT else self.tenant


class SlackWorkspace(msgspec.Struct, frozen=True, kw_only=True):
    """One of several workspaces in which an app is installed: ``[accounts.slack.<name>.workspaces.<TEAM_ID>]``."""

    #: Bot token (``xoxb-``) of this installation.
    bot_token: Secret
    #: Whose workspace it is; empty: the account's tenant.
    tenant: str = ""
    #: Name of the assistant that answers here; empty: the account's.
    assistant: str = ""

    def __post_init__(self) -> None:
        if self.tenant:
            _check_tenant(self.tenant)


class SlackAccount(Account, frozen=True, kw_only=True):
    """A Slack app.  https://docs.slack.dev/authentication/verifying-requests-from-slack

    One that several workspaces have installed has one address and one signing secret, and a token for each of them.
    Each is an account of its own behind that address, named ``<name>.<TEAM_ID>``: in the ledger, in metrics, in every
    bound.  A dot cannot stand in a name of the file, so the two never meet.
    """

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
    #: Workspaces that have installed the app, by team id; none: there is one, with the account's own ``bot_token``.
    workspaces: dict[str, SlackWorkspace] = {}
    #: What the user of a command reads in a workspace that is not among them.
    unknown_workspace: str = "This app is not set up for this workspace."

    def __post_init__(self) -> None:
        _check_tenant(self.tenant)
        for team_id in self.workspaces:
            if not _SLACK_TEAM.fullmatch(team_id):
                raise ValueError(f"workspaces: expected ids of Slack's such as T024BE7LD, got {team_id[:64]!r}")

    def workspace_name(self, team_id: str) -> str:
        """Return the name of the account that stands for one workspace; such an account gives its own."""
        return f"{self.name.partition('.')[0]}.{team_id}"

    def installed(self) -> Iterator[SlackAccount]:
        """Return an account for each workspace: this one, with what is the workspace's own."""
        for team_id, own in self.workspaces.items():
            yield msgspec.structs.replace(
                self,
                name=self.workspace_name(team_id),
                bot_token=own.bot_token,
                tenant=own.tenant or self.tenant,
                assistant=own.assistant or self.assistant,
                workspaces={team_id: own},
            )


class TelegramAccount(Account, frozen=True, kw_only=True):
    """A Telegram bot.  https://core.telegram.org/bots/api#setwebhook"""

    #: Secret tokens given to setWebhook, newest first; any of them proves a delivery.
    secret_tokens: tuple[Secret, ...] = ()
    #: The bot's token from @BotFather (``123456789:...``), with which replies are sent.
    bot_token: Secret = Secret("")
    #: The bot's username, without "@": by it a command or a mention in a group is known to be for this bot.
    username: str = ""
    #: What the bot answers in groups: "addressed" (commands, mentions, replies to it), or "all" that Telegram delivers.
    group_messages: Literal["addressed", "all"] = "addressed"
    #: Whether a message that its user edits is answered again.
    answers_edits: bool = True
    #: Whether a chat shows "typing" for a moment when a message is taken.
    typing: bool = True
    #: Root of the Bot API.
    api_base_url: str = "https://api.telegram.org"
    #: Messages sent to one chat in a second, in the long run; more of them wait.  Telegram's own figure.
    chat_messages_per_s: Rate = 1.0
    #: Messages sent to one chat at once after a pause.  Telegram allows "short bursts" and names no figure.
    chat_messages_burst: Count = 3
    #: Messages sent to one group in a minute, in the long run.  Telegram's own figure.
    group_messages_per_min: Count = 20
    #: Messages sent to one group at once after a pause.
    group_messages_burst: Count = 3
    #: Messages sent by the bot in a second, to all chats together, in the long run.  Telegram's own figure.
    bot_messages_per_s: Rate = 30.0
    #: Messages sent by the bot at once after a pause.
    bot_messages_burst: Count = 30


class KeepingAccount(Account, frozen=True, kw_only=True):
    """Of a channel that cannot send by itself: an answer that comes too late is kept for the user's next turn."""

    #: What the user hears when the answer takes longer than the platform waits.
    later: str = "That takes me a little longer. Ask me again in a moment, and I will tell you."
    #: What comes before an answer that was kept.
    kept: str = "Here is what you asked for."
    #: What comes before anything that was kept and that the user may have heard already, asked for or not.
    kept_again: str = "You may have heard this already."
    #: Said in place of an answer that was kept, where there is none.
    kept_failed: str = "I found no answer to what you asked before."
    #: Days for which an answer is kept; what is older is not told.
    kept_days: Days = 1.0


class AlexaAccount(KeepingAccount, frozen=True, kw_only=True):
    """An Alexa custom skill.  https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html"""

    #: Ids of the skill (``amzn1.ask.skill...``), in each of its stages; a delivery for another skill is refused.
    skill_ids: tuple[str, ...] = ()
    #: Slots that hold whatever the user said, in the order in which they are looked for: of type AMAZON.SearchQuery.
    text_slots: tuple[str, ...] = ("text", "query", "utterance")
    #: Seconds from arrival until the response leaves; Alexa gives up at about 8.  7 at most.
    answer_by_s: Annotated[float, Meta(ge=0.5, le=7)] = 6.5
    #: What Alexa says while the assistant works for longer than a moment; empty: nothing.
    progress: str = "One moment, please."
    #: What Alexa says when the user stays silent, where the reply has no suggestions; empty: nothing.
    reprompt: str = "What would you like to do?"
    #: Hosts that a delivery may name for what is said meanwhile; anything else is not called.
    api_hosts: tuple[str, ...] = ("*.amazonalexa.com",)
    #: Bytes of one response.  Amazon has published 24 KB and 120 KB: the smaller one.
    response_bytes_max: Annotated[int, Meta(ge=8_192, le=122_880)] = 24_000
    #: Certificates (PEM) to one of which Amazon's must lead, in place of those that are trusted in general.  Whoever
    #: has their key can speak as Amazon: only ``switchboard up`` takes it, for trials.
    trust_root: Secret = Secret("")
    #: Where the certificates are fetched; another place only under ``switchboard up``, too.
    chain_origin: str = "https://s3.amazonaws.com"


class WebchatAccount(Account, frozen=True, kw_only=True):
    """A chat page at ``/chat/<name>``."""

    #: Keys that sign the visitor's cookie, newest first; any of them proves a visitor.
    cookie_secrets: tuple[Secret, ...] = ()
    #: Title of the page; empty: the account's name.
    title: str = ""
    #: Whether the page at ``/`` names it, to everybody who opens that.
    listed: bool = False
    #: What the page says before the first message.
    greeting: str = ""
    #: What the page offers to say first.
    suggestions: tuple[str, ...] = ()
    #: Days a visitor is remembered.
    cookie_days: Days = 180.0
    #: Set the Secure attribute.  Off only because the working default speaks plain HTTP to this machine.
    cookie_secure: bool = False


ACCOUNT_TYPES: dict[str, type[Account]] = {
    "alexa": AlexaAccount,
    "slack": SlackAccount,
    "telegram": TelegramAccount,
    "webchat": WebchatAccount,
}


def _check_tenant(name: str) -> None:
    # An empty one would be one tenant with everybody else's empty one, where it was meant as none.
    if not name or name != name.strip() or len(name) > _TENANT_CHARS_MAX or not name.isprintable():
        raise ValueError(
            f"tenant: expected 1 to {_TENANT_CHARS_MAX} visible characters, got {name[:_TENANT_CHARS_MAX]!r}"
        )
