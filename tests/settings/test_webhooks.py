"""``[webhooks.<name>]``: what is wrong with one is said when its settings are read, and no secret is shown."""

from __future__ import annotations

import pytest

from gateway.settings.load import SettingsError, load_webhooks
from tests.settings.folder import BASE, Folder

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"
GOOD = """
[webhooks.crm]
url = "https://crm.example/hooks?token=not-to-be-shown"
signing_secrets = ["env:CRM_SECRET"]
events = ["turn.answered", "job.buried"]
"""


def test_a_webhook_is_read(folder: Folder) -> None:
    crm = folder.load(BASE + GOOD, CRM_SECRET=SECRET).webhooks["crm"]

    assert crm.events == ("turn.answered", "job.buried")
    assert [secret.reveal() for secret in crm.signing_secrets] == [SECRET]
    assert not crm.private_addresses_allowed


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("https://crm", "http://crm", r"webhooks\.crm\.url: expected an address with https://"),
        ("https://crm.example", "https://", r"webhooks\.crm\.url: expected an address with https://"),
        ("https://crm.example", "https://crm:99999", r"webhooks\.crm\.url: expected an address with https://"),
        ("https://crm.example", "https://me:pw@crm", r"webhooks\.crm\.url: expected an address with https://"),
        ("https://crm", "http://crm", r"http:// only with webhooks\.crm\.private_addresses_allowed"),
        ("/hooks", "/my hooks", r"webhooks\.crm\.url: expected .* visible ASCII"),
        ("/hooks", "/h\u00f6ks", r"webhooks\.crm\.url: expected .* visible ASCII"),
        ("?token", "?caf\u00e9&token", r"webhooks\.crm\.url: expected .* visible ASCII"),
        ("/hooks", "/\\thooks", r"webhooks\.crm\.url: expected .* visible ASCII"),
        ('"turn.answered", "job.buried"', "", r"webhooks\.crm\.events: expected at least one of"),
        ("turn.answered", "turn.forgotten", r"webhooks\.crm\.events\[0\]: expected one of"),
        ('"env:CRM_SECRET"', "", r"webhooks\.crm\.signing_secrets: expected at least one"),
    ],
)
def test_what_is_wrong_with_one_is_said(folder: Folder, before: str, after: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        folder.load(BASE + GOOD.replace(before, after), CRM_SECRET=SECRET)

    assert "not-to-be-shown" not in str(refused.value)


def test_a_secret_that_is_none_is_refused_without_being_shown(folder: Folder) -> None:
    with pytest.raises(SettingsError, match=r"webhooks\.crm\.signing_secrets\[0\]: expected whsec_") as refused:
        folder.load(BASE + GOOD, CRM_SECRET="correct horse battery staple")

    assert "horse" not in str(refused.value)


def test_plain_http_is_for_private_networks(folder: Folder) -> None:
    text = GOOD.replace("https://", "http://") + "private_addresses_allowed = true\n"

    assert folder.load(BASE + text, CRM_SECRET=SECRET).webhooks["crm"].url.startswith("http://crm")


def test_a_command_that_wants_to_know_where_webhooks_lead_needs_no_secret(folder: Folder) -> None:
    path = folder.root / "switchboard.toml"
    path.write_text(GOOD)

    assert load_webhooks(path, folder.environ)["crm"].events == ("turn.answered", "job.buried")
