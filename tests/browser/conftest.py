"""The whole product as `switchboard up` starts it, once for all tests, and a Chromium.

Two accounts: ``bartender``, as shipped, and ``stage``, whose assistant says what a test tells it to.  Every test has a
browser context of its own, so a visitor and a conversation of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.chat_page import ChatPage
from tests.browser.stage import GUARD_S, Stage
from tests.embedded.running import ROOT, Running, running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

STAGE = """
[assistants.stage]
url = "{url}"

[accounts.webchat.stage]
assistant = "stage"
title = "The Stage"
greeting = "Curtain up."
suggestions = ["First line", "Second line"]
cookie_secrets = ["env:STAGE_COOKIE"]

[webchat]
heartbeat_s = 1.0
visitor_streams_max = 3
"""

expect.set_options(timeout=GUARD_S * 1000)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    on_stage = Stage()
    on_stage.start()
    yield on_stage
    on_stage.stop()


@pytest.fixture(scope="session")
def port() -> int:
    """Where the gateway listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free: int = listener.getsockname()[1]
        return free


@pytest.fixture(scope="session")
def switchboard(stage: Stage, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running `switchboard up`."""
    home = tmp_path_factory.mktemp("home")
    config = home / "switchboard.toml"
    config.write_text((ROOT / "config" / "switchboard.toml").read_text() + STAGE.format(url=stage.url))
    environment = {
        "SWITCHBOARD_HOME": str(home / "state"),
        "SWITCHBOARD_CONFIG": str(config),
        "PORT": str(port),
        "STAGE_COOKIE": "0123456789abcdef" * 4,
    }
    with running([str(Path(sys.executable).with_name("switchboard")), "up"], env=environment) as it:
        it.wait_for("Ready.  Things to try")
        # Read to the end, or the pipe fills up and everything that logs into it stands still.
        assert it.process.stdout is not None
        reading = threading.Thread(target=it.process.stdout.read)
        reading.start()
        yield it
        it.signal(signal.SIGTERM)
        reading.join(GUARD_S)


@pytest.fixture(scope="session")
def site(switchboard: Running, port: int) -> str:
    """The address of a running Switchboard."""
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("there is no chromium (apt-get install chromium)")
        pytest.skip("there is no chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


#: Makes a browser context; its keyword arguments are Playwright's.
Visit = Callable[..., BrowserContext]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Make visitors.  Whatever a page of theirs throws or its policy refuses fails the test."""
    contexts: list[BrowserContext] = []
    trouble: list[str] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**options)
        context.set_default_timeout(GUARD_S * 1000)
        context.on("weberror", lambda error: trouble.append(str(error.error)))
        # Errors of the network are some tests' very subject.
        context.on(
            "console",
            lambda message: (
                trouble.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text
                else None
            ),
        )
        context.on("dialog", lambda dialog: (trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert trouble == []


@pytest.fixture
def chat(visit: Visit, site: str) -> ChatPage:
    """A new visitor on The Stage's page."""
    return ChatPage(visit().new_page(), f"{site}/chat/stage").open()
