"""Alexa, whole: answered in the response while there is time, and at the next turn after it."""

from __future__ import annotations

import gevent

from gateway.domain.reply import Reply, Text, Timer
from tests.support.alexa_platform import CHAIN_PATH, AlexaDelivery, speech
from tests.support.assistant import says
from tests.support.stack import Stack, word
from tests.support.stand_in import Hold, status
from tests.support.waiting import until

LATER = "That takes me a little longer. Ask me again in a moment, and I will tell you."
KEPT = "Here is what you asked for."
#: Waits for a second, where the others wait for four.
HURRIED = "counted"
#: When Alexa gives up, counted at her end.
PATIENCE_S = 8.0


def echo(said: str) -> str:
    """What the assistant says unless it is told otherwise: the intent, and the words."""
    return f"echo: CatchAllIntent {said}"


def keep(stack: Stack, said: str, user: str) -> None:
    """Ask something that is answered too late, and wait until its answer is kept."""
    hold = Hold(says(f"at last {said}"))
    stack.assistant.will(said, hold)
    assert speech(stack.alexa.says(said, user=user, account=HURRIED).send(stack.port)) == LATER
    hold.released.set()
    stack.ledger.wait_outbox(said, "pending")


def test_what_is_said_is_answered_in_the_response(stack: Stack) -> None:
    said = word()
    answer = stack.alexa.says(said).send(stack.port)

    assert answer.headers["content-type"] == "application/json"
    assert speech(answer) == echo(said)
    assert answer.json["response"]["shouldEndSession"] is False
    [row] = stack.ledger.wait_outbox(said, "sent")
    assert (row["kind"], row["attempts"]) == ("response", 1)
    [turn] = stack.assistant.turns(said)
    assert (turn.message.kind, turn.message.name, turn.user.locale) == ("speech", "CatchAllIntent", "en-US")


def test_the_chain_is_fetched_once(stack: Stack) -> None:
    """However many speak at once, and afterwards nobody fetches it again."""
    stack.alexa.says(word()).send(stack.port)
    before = stack.alexa.fetches()
    requests = [gevent.spawn(stack.alexa.says(word(), user=f"u{n}").send, stack.port) for n in range(8)]

    assert [each.get().status for each in requests] == [200] * 8
    assert stack.alexa.fetches() == before


def test_many_who_come_first_wait_for_one_fetch(stack: Stack) -> None:
    """A chain at another address: the stand-in holds it until all of them wait."""
    elsewhere = CHAIN_PATH.replace("tests", "other")
    answers = [
        gevent.spawn(stack.alexa.says(word(), user=f"v{n}").send, stack.port, elsewhere) for n in range(4)
    ]

    # It is not there (403), so all are refused, by Amazon's own word for it; nobody else asks for it.
    assert {each.get().status for each in answers} == {400}
    assert [each.path for each in stack.alexa.calls].count(elsewhere) == 1


def test_who_is_not_amazon_is_refused_and_nothing_is_stored(stack: Stack) -> None:
    said = word()
    before = stack.ledger.counts()
    for headers in (
        {"Signature-256": "AAAA"},
        {"SignatureCertChainUrl": "https://evil.example/echo.api/cert.pem"},
    ):
        assert stack.alexa.says(said).send(stack.port, **headers).status == 400
    assert AlexaDelivery(stack.alexa.says(said).body, "mute").send(stack.port).status == 400

    assert stack.ledger.counts() == before


def test_a_launch_and_an_end_are_events(stack: Stack) -> None:
    """The end is answered without a word, and its assistant hears of it all the same."""
    user = word()
    launch = stack.alexa.asks({"type": "LaunchRequest"}, user=user).send(stack.port)
    end = stack.alexa.asks({"type": "SessionEndedRequest", "reason": "USER_INITIATED"}, user=user).send(stack.port)

    assert speech(launch) == "echo: session_started"
    assert (end.status, end.json) == (200, {"version": "1.0", "response": {}})
    query = (
        "SELECT t.message ->> 'name' AS name FROM turns t JOIN users u ON u.id = t.user_id"
        " WHERE u.key LIKE %s AND t.state = 'answered' ORDER BY t.id"
    )
    rows = until("both turns", lambda: len(found := stack.ledger.rows(query, f"%{user}")) == 2 and found)
    assert [row["name"] for row in rows] == ["session_started", "session_ended"]


def test_the_same_request_again_gets_the_same_answer(stack: Stack) -> None:
    said = word()
    request = stack.alexa.says(said)
    first, again = request.send(stack.port), request.send(stack.port)

    assert first.body == again.body
    assert len(stack.assistant.about(said)) == 1


def test_while_it_takes_longer_one_sentence_is_said(stack: Stack) -> None:
    """Law: a progressive response after a second and a half, with the request's own token; no second one."""
    said = word()
    hold = Hold(says("done"))
    stack.assistant.will(said, hold)
    request = stack.alexa.says(said, user=word())
    waiting = gevent.spawn(request.send, stack.port)
    [directive] = until(
        "the directive", lambda: [each for each in stack.alexa.calls if _request_id(request) in each.body]
    )
    hold.released.set()

    assert speech(waiting.get()) == "done"
    assert directive.path == "/v1/directives"
    assert directive.headers["authorization"] == "Bearer a-token-of-an-hour"
    assert directive.json["directive"] == {
        "type": "VoicePlayer.Speak",
        "speech": "<speak><p>One moment, please.</p></speak>",
    }
    assert "a-token-of-an-hour" not in str(stack.ledger.turns(said)), "it is kept nowhere"
    assert "a-token-of-an-hour" not in stack.logs()


def test_a_quick_answer_is_no_occasion_for_it(stack: Stack) -> None:
    request = stack.alexa.says(word())
    request.send(stack.port)
    later = stack.alexa.says(word(), user=word())
    hold = Hold(says("done"))
    stack.assistant.will(_text(later), hold)
    waiting = gevent.spawn(later.send, stack.port)
    # When the slow one's sentence is said, the quick one's would have been.
    until("the other's directive", lambda: [c for c in stack.alexa.calls if _request_id(later) in c.body])
    hold.released.set()
    waiting.get()

    assert [each for each in stack.alexa.calls if _request_id(request) in each.body] == []


def test_a_sentence_that_cannot_be_said_holds_up_nothing(stack: Stack) -> None:
    said = word()
    hold = Hold(says("done"))
    stack.assistant.will(said, hold)
    request = stack.alexa.says(said, user=word())
    stuck = Hold(status("204 No Content"))
    stack.alexa.will(_request_id(request).decode(), stuck)
    waiting = gevent.spawn(request.send, stack.port)
    stuck.wait_reached()
    hold.released.set()

    assert speech(waiting.get()) == "done"
    stuck.released.set()


def test_an_answer_that_is_late_is_told_at_the_next_turn(stack: Stack) -> None:
    """Law: an apology in time; then the kept answer, and the next one's own behind it; told once, and never pushed."""
    said, behind, user = word(), word(), word()
    hold = Hold(says(f"at last {said}"))
    stack.assistant.will(said, hold)
    late = stack.alexa.says(said, user=user, account=HURRIED).send(stack.port)
    assert speech(late) == LATER
    assert late.took_s < PATIENCE_S
    assert not hold.gone.is_set(), "an accepted turn goes on when its response has left"
    hold.released.set()
    stack.ledger.wait_outbox(said, "pending")
    told = stack.alexa.says(behind, user=user, account=HURRIED).send(stack.port)

    assert speech(told).splitlines() == [KEPT, f"at last {said}", echo(behind)]
    [row] = stack.ledger.wait_outbox(said, "sent")
    assert row["told_with"] == stack.ledger.turns(behind)[0]["id"]
    third = word()
    assert speech(stack.alexa.says(third, user=user, account=HURRIED).send(stack.port)) == echo(third)
    assert stack.ledger.rows("SELECT id FROM jobs WHERE unique_key = %s", f"outbox:{row['id']}") == []


def test_a_repeat_of_the_request_that_told_it_is_told_the_same_again(stack: Stack) -> None:
    said, user = word(), word()
    keep(stack, said, user)
    request = stack.alexa.says(word(), user=user, account=HURRIED)
    first = request.send(stack.port)
    stack.ledger.wait_outbox(said, "sent")

    assert first.body == request.send(stack.port).body
    assert f"at last {said}" in speech(first)


def test_a_repeat_of_the_late_request_gets_its_answer_as_its_own(stack: Stack) -> None:
    """The platform asks again, and now it is there: then it is not told a second time."""
    said, user = word(), word()
    hold = Hold(says(f"at last {said}"))
    stack.assistant.will(said, hold)
    request = stack.alexa.says(said, user=user, account=HURRIED)
    assert speech(request.send(stack.port)) == LATER
    hold.released.set()
    stack.ledger.wait_outbox(said, "pending")

    assert speech(request.send(stack.port)) == f"at last {said}"
    stack.ledger.wait_outbox(said, "sent")
    behind = word()
    assert speech(stack.alexa.says(behind, user=user, account=HURRIED).send(stack.port)) == echo(behind)


def test_who_asks_again_too_soon_hears_both_later(stack: Stack) -> None:
    """The second question waits behind the first: both answers are kept, and told in their order."""
    first, second, user = word(), word(), word()
    hold = Hold(says(f"at last {first}"))
    stack.assistant.will(first, hold)
    assert speech(stack.alexa.says(first, user=user, account=HURRIED).send(stack.port)) == LATER
    assert speech(stack.alexa.says(second, user=user, account=HURRIED).send(stack.port)) == LATER
    hold.released.set()
    stack.ledger.wait_outbox(second, "pending")
    third = word()
    told = speech(stack.alexa.says(third, user=user, account=HURRIED).send(stack.port)).splitlines()

    assert told == [KEPT, f"at last {first}", KEPT, echo(second), echo(third)]


def test_what_was_kept_is_told_even_if_the_next_answer_is_late_too(stack: Stack) -> None:
    said, slow, user = word(), word(), word()
    keep(stack, said, user)
    hold = Hold(says(f"at last {slow}"))
    stack.assistant.will(slow, hold)
    told = speech(stack.alexa.says(slow, user=user, account=HURRIED).send(stack.port)).splitlines()
    hold.released.set()

    assert told == [KEPT, f"at last {said}", LATER]


def test_another_device_hears_nothing_of_it(stack: Stack) -> None:
    said, other, user = word(), word(), word()
    keep(stack, said, user)

    bedroom = stack.alexa.says(other, user=user, account=HURRIED, device="bedroom")
    assert speech(bedroom.send(stack.port)) == echo(other)


def test_a_question_that_found_no_answer_is_said_to_have_none(stack: Stack) -> None:
    said, user = word(), word()
    hold = Hold(status("500 Internal Server Error"))
    stack.assistant.will(said, hold)
    assert speech(stack.alexa.says(said, user=user, account=HURRIED).send(stack.port)) == LATER
    hold.released.set()
    stack.ledger.wait_outbox(said, "pending")
    behind = word()

    assert speech(stack.alexa.says(behind, user=user, account=HURRIED).send(stack.port)).splitlines() == [
        "I found no answer to what you asked before.",
        echo(behind),
    ]


def test_a_timer_waits_for_the_next_turn(stack: Stack) -> None:
    """Alexa takes nothing that nobody asked for: it is told when its user speaks again, and never as an answer."""
    said, behind, user = word(), word(), word()
    timer = Timer("tea", 0.0, (Text(f"the tea of {said} is ready"),))
    stack.assistant.will(said, says(Reply((Text("I will tell you."),), timers=(timer,))))
    assert speech(stack.alexa.says(said, user=user).send(stack.port)) == "I will tell you."
    query = (
        "SELECT o.state FROM outbox o JOIN turns t ON t.id = o.turn_id"
        " WHERE t.reply::text LIKE %s AND o.kept_until IS NOT NULL"
    )
    until("the timer's message", lambda: stack.ledger.rows(query, f"%tea of {said}%"))

    told = speech(stack.alexa.says(behind, user=user).send(stack.port)).splitlines()
    assert told == [f"the tea of {said} is ready", echo(behind)]
    until("its end", lambda: stack.ledger.rows(query, f"%tea of {said}%") == [{"state": "sent"}])
    assert stack.ledger.letters(said) == []


def test_a_failure_in_time_is_an_apology(stack: Stack) -> None:
    said = word()
    stack.assistant.will(said, status("500 Internal Server Error"))
    answer = stack.alexa.says(said, account="hasty").send(stack.port)

    assert speech(answer).startswith("Sorry")
    assert stack.ledger.wait_settled(said)[0]["state"] == "failed"


def _request_id(delivery: AlexaDelivery) -> bytes:
    return delivery.body.partition(b'"requestId":"')[2].partition(b'"')[0]


def _text(delivery: AlexaDelivery) -> str:
    return delivery.body.partition(b'"value":"')[2].partition(b'"')[0].decode()
