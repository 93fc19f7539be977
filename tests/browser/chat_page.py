"""The chat page as its reader sees it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

__all__ = ["ChatPage"]


class ChatPage:
    """One tab."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.box = page.get_by_role("textbox")
        self.log = page.get_by_role("log")
        self.turns = page.locator(".turn")
        self._url = url

    def open(self) -> ChatPage:
        """Load the page and wait until it shows what there is."""
        self.page.goto(self._url)
        self.wait_ready()
        return self

    def wait_ready(self) -> None:
        expect(self.page.locator("#log")).to_have_attribute("aria-busy", "false")

    def say(self, words: str) -> None:
        """Type and send."""
        self.box.fill(words)
        self.box.press("Enter")

    def turn(self, words: str) -> Locator:
        """Return the turn in which the reader said *words*."""
        return self.turns.filter(has=self.page.locator(".said", has_text=words))

    def answer(self, words: str) -> Locator:
        """Return what stands as the answer to *words*."""
        return self.turn(words).locator(".answer:not(.live)")

    def wait_answered(self, words: str) -> Locator:
        answer = self.answer(words)
        expect(answer).to_be_visible()
        return answer

    def transcript(self) -> list[tuple[str, str]]:
        """Return all turns as (said, answered), from top to bottom."""
        found: list[list[str]] = self.turns.evaluate_all(
            """turns => turns.map(turn => [
                turn.querySelector(".bubble p").textContent,
                turn.querySelector(".answer:not(.live) .part")?.textContent ?? "",
            ])"""
        )
        return [(said, answered) for said, answered in found]

    def run(self, script: str, argument: Any = None) -> Any:
        """Run a script in the page."""
        return self.page.evaluate(script, argument)
