"""What only a trial may be told is refused anywhere else, when it is read."""

from __future__ import annotations

import pytest

from gateway.embedded.trial_authority import ALEXA_ROOT, alexa_trial
from gateway.settings.accounts import AlexaAccount
from gateway.settings.environment import EMBEDDED
from tests.settings.folder import BASE, Folder

SKILL = '\n[accounts.alexa.skill]\nassistant = "bartender"\n'
OTHER_ROOT = SKILL + 'trust_root = "env:ROOT"\n'
OTHER_PLACE = SKILL + 'chain_origin = "http://127.0.0.1:8089/alexa/skill"\n'


@pytest.fixture(scope="module")
def root() -> str:
    return alexa_trial()[ALEXA_ROOT]


def test_another_root_is_refused_where_nobody_tries_anything(folder: Folder, root: str) -> None:
    """Law: whoever has its key could speak as Amazon, so no setting alone lets them."""
    [problem] = folder.problems(BASE + OTHER_ROOT, ROOT=root)

    assert problem == (
        "accounts.alexa.skill.trust_root: only `switchboard up` takes one: whoever has its key could speak as Amazon."
        "  Without it Amazon's certificates are trusted"
    )


def test_another_place_of_certificates_is_refused_there_too(folder: Folder) -> None:
    [problem] = folder.problems(BASE + OTHER_PLACE)

    assert problem.startswith("accounts.alexa.skill.chain_origin: expected https://s3.amazonaws.com, got another")


def test_a_trial_takes_both(folder: Folder, root: str) -> None:
    for more in (OTHER_ROOT, OTHER_PLACE):
        found = folder.load(BASE + more, ROOT=root, **{EMBEDDED: "1"}).accounts["alexa", "skill"]
        assert isinstance(found, AlexaAccount)


@pytest.mark.parametrize("text", ["hunter2", "-----BEGIN PRIVATE KEY-----"])
def test_a_root_that_is_none_is_a_problem_and_is_not_shown(folder: Folder, text: str) -> None:
    [problem] = folder.problems(BASE + OTHER_ROOT, ROOT=text, **{EMBEDDED: "1"})

    assert problem == (
        "accounts.alexa.skill.trust_root: expected certificates in PEM, got something else (not shown)"
    )


@pytest.mark.parametrize("place", ["s3.amazonaws.com", "ftp://s3.amazonaws.com", "https://", "https://a/?b"])
def test_a_place_that_is_no_address_is_a_problem(folder: Folder, place: str) -> None:
    [problem] = folder.problems(f'{BASE}{SKILL}chain_origin = "{place}"\n', **{EMBEDDED: "1"})

    assert problem.endswith("expected http(s)://host, with a port or a path where it has one")
