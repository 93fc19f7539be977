"""A ledger, its transcripts, and what watches them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway import telemetry
from gateway.conversations.live import Live
from gateway.conversations.transcripts import Transcripts
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.settings.webchat import WebchatSettings
from gateway.store.postgres import Database


@pytest.fixture(autouse=True)
def _strict_telemetry() -> Iterator[None]:
    with telemetry.strict():
        yield


@pytest.fixture
def store_settings(database: str) -> StoreSettings:
    return StoreSettings(database_url=Secret(database))


@pytest.fixture
def ledger(store_settings: StoreSettings) -> Iterator[Database]:
    pool = Database(store_settings)
    yield pool
    pool.close()


@pytest.fixture
def transcripts(ledger: Database, store_settings: StoreSettings) -> Transcripts:
    return Transcripts(ledger, store_settings)


@pytest.fixture
def live(transcripts: Transcripts) -> Live:
    return Live(transcripts, WebchatSettings(), poll_s=0.02)
