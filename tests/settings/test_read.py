"""No setting is there for nobody: each is read by the product somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from gateway.settings.accounts import ACCOUNT_TYPES
from gateway.settings.assistants import AssistantSettings
from gateway.settings.openai import OpenaiSettings
from gateway.settings.settings import SECTIONS
from gateway.settings.webhooks import WebhookSettings

ROOT = Path(__file__).parents[2]
STRUCTS: list[type[msgspec.Struct]] = [
    *SECTIONS.values(), AssistantSettings, OpenaiSettings, WebhookSettings, *ACCOUNT_TYPES.values()
]
READERS = [
    path.read_text()
    for pattern in ("gateway/**/*.py", "gateway/**/*.html", "workers/**/*.py")
    for path in ROOT.glob(pattern)
    if not path.is_relative_to(ROOT / "gateway" / "settings")
]


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_setting_is_read_somewhere(kind: type[msgspec.Struct]) -> None:
    unread = [
        field
        for field in kind.__struct_fields__
        if not any(re.search(rf"\.{field}\b", source) for source in READERS)
    ]

    assert unread == []
