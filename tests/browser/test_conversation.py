"""What is said is shown once and in order: while it is made, when it stands, after a reload, and in every tab."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Visit
from tests.browser.stage import Stage, text


def test_an_answer_grows_and_then_stands_once(chat: ChatPage, stage: Stage) -> None:
    held = stage.hold("grow")
    chat.say("grow")
    held.wait_asked()
    live = chat.turn("grow").locator(".answer.live")
    expect(live.locator(".dots")).to_be_visible()

    held.delta("Gin, ")
    expect(live).to_contain_text("Gin,")
    held.delta("**Campari**")
    expect(live.locator("strong")).to_have_text("Campari")
    held.part(text("Gin, Campari"))
    held.delta("and ice")
    expect(live.locator(".part").first).to_have_text("Gin, Campari")
    expect(live.locator(".piece")).to_have_text("and ice")

    held.reply(text("Gin, **Campari**, ice", markdown=True))
    expect(chat.wait_answered("grow")).to_contain_text("Gin, Campari, ice")
    expect(live).to_have_count(0)
    assert chat.turns.count() == 1


def test_a_message_that_answers_nothing_stands_alone(chat: ChatPage, stage: Stage) -> None:
    """A timer rings: nobody said a word, so no bubble shows one, and no time below such a bubble."""
    held = stage.hold("wake me")
    chat.say("wake me")
    held.wait_asked()
    held.reply(
        text("I will."), timers=[{"name": "alarm", "after_s": 0.2, "parts": [text("It is time to get up.")]}]
    )
    chat.wait_answered("wake me")

    rung = chat.turns.filter(has_text="It is time to get up.")
    expect(rung).to_have_count(1)
    expect(rung.locator(".bubble")).to_have_count(0)
    expect(rung.locator(".answer")).to_contain_text("The Stage said: It is time to get up.")
    # Its time is the answer's: below it, and not at the side of who said nothing.  After a reload as before.
    for _ in range(2):
        expect(rung.locator(".answer + .note time")).to_be_visible()
        answer, told = rung.locator(".answer").bounding_box(), rung.locator("time").bounding_box()
        assert answer is not None
        assert told is not None
        assert told["y"] >= answer["y"] + answer["height"]
        assert abs(told["x"] - answer["x"]) < 2
        chat.page.reload()
        chat.wait_ready()


def test_a_screen_reader_is_told_what_stands_and_not_every_piece(chat: ChatPage, stage: Stage) -> None:
    held = stage.hold("quiet")
    chat.say("quiet")
    held.wait_asked()
    held.delta("piece by piece")
    live = chat.turn("quiet").locator(".answer.live")
    expect(live).to_contain_text("piece by piece")
    expect(live).to_have_attribute("aria-hidden", "true")
    expect(chat.log).to_have_attribute("aria-live", "polite")

    held.reply(text("as a whole"))
    answer = chat.wait_answered("quiet")
    assert answer.get_attribute("aria-hidden") is None
    expect(answer).to_contain_text("The Stage said: as a whole")


def test_a_reload_shows_everything_once_in_order(chat: ChatPage) -> None:
    said = [f"line {number}" for number in range(1, 6)]
    for words in said:
        chat.say(words)
        chat.wait_answered(words)
    chat.page.reload()
    chat.wait_ready()

    assert chat.transcript() == [(words, f"echo: {words}") for words in said]


def test_a_reload_in_the_middle_of_an_answer_shows_it_from_the_beginning(
    chat: ChatPage, stage: Stage
) -> None:
    held = stage.hold("interrupted")
    chat.say("interrupted")
    held.wait_asked()
    held.delta("The beginning")
    expect(chat.turn("interrupted").locator(".live")).to_contain_text("The beginning")
    chat.page.reload()
    expect(chat.turn("interrupted").locator(".live")).to_contain_text("The beginning")
    held.delta(" and the end")
    expect(chat.turn("interrupted").locator(".live")).to_have_text("The beginning and the end")
    held.reply(text("All of it"))

    chat.wait_answered("interrupted")
    assert chat.transcript() == [("interrupted", "All of it")]


def test_messages_sent_quickly_keep_their_order(chat: ChatPage) -> None:
    said = [f"quick {number}" for number in range(10)]
    for words in said:
        chat.say(words)
    chat.wait_answered(said[-1])

    assert chat.transcript() == [(words, f"echo: {words}") for words in said]


def test_the_same_words_twice_are_two_messages(chat: ChatPage, stage: Stage) -> None:
    chat.say("encore")
    chat.say("encore")
    expect(chat.answer("encore")).to_have_count(2)

    assert stage.times_heard("encore") == 2


def test_two_tabs_show_the_same(visit: Visit, site: str, stage: Stage) -> None:
    context = visit()
    one, two = (ChatPage(context.new_page(), f"{site}/chat/stage").open() for _ in range(2))
    held = stage.hold("from one")
    one.say("from one")
    held.wait_asked()
    held.delta("seen in both")
    for tab in (one, two):
        expect(tab.turn("from one").locator(".live")).to_contain_text("seen in both")
    held.reply(text("seen in both"))
    for tab in (one, two):
        tab.wait_answered("from one")
    two.say("from two")
    for tab in (one, two):
        tab.wait_answered("from two")

    expected = [("from one", "seen in both"), ("from two", "echo: from two")]
    assert one.transcript() == two.transcript() == expected


def test_visitors_do_not_see_each_other(visit: Visit, site: str) -> None:
    mine, theirs = (ChatPage(visit().new_page(), f"{site}/chat/stage").open() for _ in range(2))
    mine.say("my secret")
    mine.wait_answered("my secret")
    theirs.say("something else")
    theirs.wait_answered("something else")

    assert theirs.transcript() == [("something else", "echo: something else")]


def test_the_empty_page_greets_and_helps(chat: ChatPage, stage: Stage) -> None:
    """And steps aside with the first word."""
    expect(chat.page.get_by_text("Curtain up.")).to_be_visible()
    chat.page.get_by_role("button", name="First line").click()
    chat.wait_answered("First line")

    expect(chat.page.get_by_text("Curtain up.")).to_be_hidden()


def test_a_failing_assistant_is_answered_with_the_apology(chat: ChatPage, stage: Stage) -> None:
    stage.answer("lie", {"type": "no such part"})
    chat.say("lie")

    expect(chat.wait_answered("lie")).to_contain_text("Sorry, I could not answer that")
    chat.say("and on")
    chat.wait_answered("and on")
