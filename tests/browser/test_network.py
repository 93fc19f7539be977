"""A flaky network costs time and nothing else: no message is lost, none is taken twice."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Route, expect

from tests.browser.chat_page import ChatPage
from tests.browser.stage import Stage, text
from tests.embedded.running import Running

HOOK = re.compile("/hooks/webchat/stage$")
EVENTS = re.compile("/chat/stage/events")


def test_what_is_said_offline_is_sent_once_when_the_network_is_back(chat: ChatPage, stage: Stage) -> None:
    chat.say("before")
    chat.wait_answered("before")
    context = chat.page.context
    context.set_offline(True)
    chat.say("into the dark")
    chat.say("and more")
    expect(chat.turn("into the dark").locator(".note")).to_contain_text("Not sent yet")
    expect(chat.page.get_by_role("status")).to_contain_text("Offline")
    context.set_offline(False)
    chat.wait_answered("and more")

    expect(chat.page.get_by_role("status")).to_be_empty()
    assert [said for said, _ in chat.transcript()] == ["before", "into the dark", "and more"]
    assert [stage.times_heard(words) for words in ("into the dark", "and more")] == [1, 1]


def test_an_answer_made_while_the_page_was_away_is_shown_once(chat: ChatPage, stage: Stage) -> None:
    held = stage.hold("meanwhile")
    chat.say("meanwhile")
    held.wait_asked()
    held.delta("half")
    expect(chat.turn("meanwhile").locator(".live")).to_contain_text("half")
    chat.page.context.set_offline(True)
    held.reply(text("whole"))
    chat.page.context.set_offline(False)

    expect(chat.wait_answered("meanwhile")).to_contain_text("whole")
    chat.say("next")
    chat.wait_answered("next")
    assert chat.transcript() == [("meanwhile", "whole"), ("next", "echo: next")]


def test_a_new_stream_in_the_middle_of_an_answer_doubles_nothing(chat: ChatPage, stage: Stage) -> None:
    """It tells what was said so far from the beginning, into a page that shows it already."""
    held = stage.hold("in pieces")
    chat.say("in pieces")
    held.wait_asked()
    held.part(text("a part"))
    held.delta("half")
    live = chat.turn("in pieces").locator(".live")
    expect(live.locator(".piece")).to_have_text("half")
    with chat.page.expect_request(EVENTS):
        chat.page.context.set_offline(True)
        chat.page.context.set_offline(False)
    held.delta(" and more")

    expect(live.locator(".piece")).to_have_text("half and more")
    expect(live.locator(".part:not(.piece)")).to_have_text(["a part"])
    held.reply(text("done"))
    chat.wait_answered("in pieces")


def test_a_lost_acknowledgement_makes_no_second_message(chat: ChatPage, stage: Stage) -> None:
    """The gateway took it and its answer was lost, twice: the page repeats under the same id."""
    ids: list[str] = []

    def lose_twice(route: Route) -> None:
        ids.append(route.request.post_data_json["id"])
        answer = route.fetch()
        if len(ids) <= 2:
            route.abort("connectionreset")
        else:
            route.fulfill(response=answer)

    chat.page.route(HOOK, lose_twice)
    chat.say("lost and found")
    expect(chat.turn("lost and found").locator(".answer:not(.live)")).to_be_visible()
    chat.say("after it")
    chat.wait_answered("after it")

    assert len(set(ids[:3])) == 1
    assert stage.times_heard("lost and found") == 1
    assert [said for said, _ in chat.transcript()] == ["lost and found", "after it"]


def test_a_refusal_with_a_time_is_waited_for(chat: ChatPage) -> None:
    calls: list[float] = []

    def busy_once(route: Route) -> None:
        calls.append(time.monotonic())
        if len(calls) == 1:
            body = '{"error": "overloaded", "message": "busy", "retry_after_s": 2}'
            route.fulfill(status=503, headers={"Retry-After": "2"}, body=body)
        else:
            route.continue_()

    chat.page.route(HOOK, busy_once)
    chat.say("patience")
    chat.wait_answered("patience")

    assert calls[1] - calls[0] >= 2.0


def test_a_message_that_is_not_taken_says_so_and_blocks_nobody(chat: ChatPage, stage: Stage) -> None:
    def refuse(route: Route) -> None:
        if "too bad" in (route.request.post_data or ""):
            route.fulfill(status=413, body='{"error": "text_too_long", "message": "It is too long."}')
        else:
            route.continue_()

    chat.page.route(HOOK, refuse)
    chat.say("too bad")
    chat.say("the next one")
    chat.wait_answered("the next one")
    note = chat.turn("too bad").locator(".note")
    expect(note).to_contain_text("Not sent. It is too long.")

    chat.page.unroute(HOOK)
    note.get_by_role("button", name="Try again").click()
    chat.wait_answered("too bad")
    assert [said for said, _ in chat.transcript()] == ["the next one", "too bad"]


def test_a_refused_message_can_be_removed_for_good(chat: ChatPage) -> None:
    chat.page.route(HOOK, lambda route: route.fulfill(status=400, body='{"message": "No."}'))
    chat.say("never mind")
    chat.turn("never mind").get_by_role("button", name="Remove").click()
    expect(chat.turns).to_have_count(0)
    chat.page.reload()
    chat.wait_ready()

    assert chat.turns.count() == 0


def test_a_message_on_its_way_survives_a_reload(chat: ChatPage, stage: Stage) -> None:
    """Also one that the gateway had taken when the page went: it is told twice and taken once."""
    chat.page.route(HOOK, lambda route: (route.fetch(), route.abort()))
    chat.say("persistent")
    expect(chat.turn("persistent").locator(".answer:not(.live)")).to_be_visible()
    chat.page.unroute(HOOK)
    chat.page.reload()
    chat.wait_ready()
    chat.say("flush")
    chat.wait_answered("flush")

    assert stage.times_heard("persistent") == 1
    assert [said for said, _ in chat.transcript()] == ["persistent", "flush"]


def test_a_refused_stream_is_asked_for_again(chat: ChatPage) -> None:
    """EventSource itself gives up for good on the first answer that is not a stream."""
    refusals = 0

    def without_beats(route: Route) -> None:
        # Missing beats would tell too, later: here only the refusal itself can.
        page = route.fetch()
        route.fulfill(response=page, body=page.text().replace('data-beat-s="1.0"', 'data-beat-s="3600"'))

    def refuse_twice(route: Route) -> None:
        nonlocal refusals
        refusals += 1
        if refusals <= 2:
            route.fulfill(status=503, headers={"Retry-After": "0"}, body="busy")
        else:
            route.continue_()

    chat.page.route(EVENTS, refuse_twice)
    chat.page.route(chat.page.url, without_beats)
    chat.page.reload()
    chat.wait_ready()
    chat.say("here we are")
    chat.wait_answered("here we are")

    assert chat.run("() => document.body.dataset.beatS") == "3600"


def test_a_visitor_whose_cookie_is_gone_becomes_a_new_one(chat: ChatPage) -> None:
    """The page is loaded again for a cookie, and what was being said is said in the new conversation."""
    chat.say("first life")
    chat.wait_answered("first life")
    chat.page.context.clear_cookies()
    chat.say("second life")
    chat.wait_answered("second life")

    assert chat.transcript() == [("second life", "echo: second life")]


def test_a_stream_that_does_not_know_the_visitor_makes_the_page_new(chat: ChatPage) -> None:
    """The stream's refusal has no status for a page; it asks, and loads itself again for a cookie."""
    loads = 0

    def loaded(_: object) -> None:
        nonlocal loads
        loads += 1

    def unknown_at_first(route: Route) -> None:
        if loads < 2:
            route.fulfill(status=401, body="{}")
        else:
            route.continue_()

    chat.page.route(EVENTS, unknown_at_first)
    chat.page.on("domcontentloaded", loaded)
    with chat.page.expect_event("domcontentloaded", predicate=lambda _: loads == 2):
        chat.page.reload()

    chat.wait_ready()


def test_too_many_tabs_take_turns_and_say_so(chat: ChatPage) -> None:
    """The one used longest ago pauses, and goes on as soon as it is used."""
    context = chat.page.context
    others = [ChatPage(context.new_page(), chat.page.url).open() for _ in range(3)]
    expect(chat.page.get_by_role("status")).to_contain_text("too many tabs")
    chat.say("still here")
    chat.wait_answered("still here")

    expect(chat.page.get_by_role("status")).to_be_empty()
    others[-1].wait_answered("still here")
    expect(others[0].page.get_by_role("status")).to_contain_text("too many tabs")


def test_a_killed_gateway_costs_a_moment(chat: ChatPage, switchboard: Running, stage: Stage) -> None:
    """kill -9 of the process that holds the stream: the page finds the next one, and repeats and loses nothing."""
    chat.say("before the crash")
    chat.wait_answered("before the crash")
    for worker in switchboard.gateway_workers():
        worker.kill()
    chat.say("into the crash")
    chat.wait_answered("into the crash")

    assert [said for said, _ in chat.transcript()] == ["before the crash", "into the crash"]
    assert stage.times_heard("into the crash") == 1


def test_a_stream_that_went_silent_is_given_up(chat: ChatPage, switchboard: Running) -> None:
    """The connection is open and nothing comes, as behind a network that is gone: missing beats tell."""
    chat.say("hello")
    chat.wait_answered("hello")
    workers = switchboard.gateway_workers()
    for worker in workers:
        worker.suspend()
    try:
        expect(chat.page.get_by_role("status")).to_contain_text("Reconnecting")
    finally:
        for worker in workers:
            worker.resume()
    expect(chat.page.get_by_role("status")).to_be_empty()
    chat.say("back again")
    chat.wait_answered("back again")
    assert [said for said, _ in chat.transcript()] == ["hello", "back again"]
