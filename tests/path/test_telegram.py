"""A message on Telegram, from its delivery to the calls of the Bot API."""

from __future__ import annotations

import itertools

import pytest

from gateway.domain.reply import Button, Buttons, Image, Reply, Suggestions, Text
from tests.support.assistant import says
from tests.support.calling import call
from tests.support.stack import Stack, word
from tests.support.stand_in import Hold, cut, status
from tests.support.telegram_platform import TELEGRAM_SECRET, TELEGRAM_TOKEN, USERNAME, refuses

#: Telegram waits for most of a minute; nothing here needs a second of that, even on a busy machine.
AT_ONCE_S = 1.0
_chats = itertools.count(4_000_001)


def test_a_message_is_answered_by_a_call(stack: Stack) -> None:
    """A delivery is acknowledged at once with a sign of life, and answered where it was asked, by the account's bot."""
    said, chat = word(), next(_chats)
    hold = Hold(says(f"late {said}"))
    stack.assistant.will(said, hold)
    answer = stack.telegram.message(said, chat=chat).send(stack.port)

    assert answer.status == 200
    assert answer.json == {"method": "sendChatAction", "chat_id": chat, "action": "typing"}
    assert answer.took_s < AT_ONCE_S
    hold.wait_reached()
    assert stack.telegram.about(said) == []
    hold.released.set()
    [sent] = stack.telegram.wait_for(said)
    assert sent.path == f"/bot{TELEGRAM_TOKEN}/sendMessage"
    assert sent.json == {"chat_id": chat, "text": f"late {said}"}
    [row] = stack.ledger.wait_outbox(said, "sent")
    assert (row["kind"], row["attempts"]) == ("push", 1)


@pytest.mark.slow
def test_a_slow_assistant_is_seen_to_work(stack: Stack) -> None:
    """After five seconds the chat is told again that somebody is writing; slow, because Telegram's clock is."""
    said, chat = word(), next(_chats)
    hold = Hold(says(f"at last {said}"))
    stack.assistant.will(said, hold)
    stack.telegram.message(said, chat=chat).send(stack.port)

    [sign] = stack.telegram.wait_for(str(chat))
    hold.released.set()
    [sent] = stack.telegram.wait_for(said)
    assert sign.path.endswith("/sendChatAction")
    assert sign.json == {"chat_id": chat, "action": "typing"}
    assert sign.ended <= sent.arrived


def test_who_does_not_know_the_secret_is_nobody(stack: Stack) -> None:
    before = stack.ledger.counts()
    delivery = stack.telegram.message(word(), chat=next(_chats))

    assert delivery.send(stack.port, secret="guess").status == 401
    assert delivery.send(stack.port, secret="").status == 401
    mute = stack.telegram.message(word(), chat=next(_chats), account="mute")
    assert mute.send(stack.port).status == 401
    assert stack.ledger.counts() == before


def test_a_redelivery_changes_nothing(stack: Stack) -> None:
    """An update that comes again, before and after its answer, makes no second turn and no second message."""
    said, chat = word(), next(_chats)
    hold = Hold(says(f"once {said}"))
    stack.assistant.will(said, hold)
    delivery = stack.telegram.message(said, chat=chat)
    assert delivery.send(stack.port).status == 200
    hold.wait_reached()
    assert delivery.send(stack.port).status == 200
    hold.released.set()
    stack.ledger.wait_outbox(said, "sent")
    assert delivery.send(stack.port).status == 200

    # A message behind it in the same conversation: when that one is answered, a repeat would have been too.
    behind = word()
    stack.telegram.message(behind, chat=chat).send(stack.port)
    stack.telegram.wait_for(behind)
    assert len(stack.ledger.turns(said)) == len(stack.telegram.about(said)) == 1


def test_two_accounts_may_have_the_same_update_ids(stack: Stack) -> None:
    """Each bot's updates are numbered by themselves."""
    said, chat = word(), next(_chats)
    first = stack.telegram.message(said, chat=chat)
    second = stack.telegram.message(said, chat=chat, account="hasty")
    same = second.body.replace(second.body[: second.body.index(b",")], first.body[: first.body.index(b",")])

    assert first.send(stack.port).status == 200
    assert type(second)(same, "hasty").send(stack.port).status == 200
    assert len(stack.telegram.wait_for(said, 2)) == 2


def test_a_tap_is_taken_at_once_and_brings_its_value(stack: Stack) -> None:
    """Its acknowledgement stops the button from loading."""
    said, chat = word(), next(_chats)
    stack.assistant.will(said, says(Reply((Buttons(f"Which, {said}?", (Button("This", f"take:{said}"),)),))))
    stack.telegram.message(said, chat=chat).send(stack.port)
    [shown] = stack.telegram.wait_for(said)

    answer = stack.telegram.tap(shown, "This").send(stack.port)

    assert answer.json["method"] == "answerCallbackQuery"
    [_, sent] = stack.telegram.wait_for(said, 2)
    assert sent.json["text"] == f"echo: button take:{said} This"


def test_a_value_that_no_button_can_carry_comes_back_all_the_same(stack: Stack) -> None:
    """A button has 64 bytes: the ledger has the rest."""
    said, chat = word(), next(_chats)
    value = f"{said} " + "é" * 500
    stack.assistant.will(said, says(Reply((Buttons("Which?", (Button(f"This {said}", value),)),))))
    stack.telegram.message(said, chat=chat).send(stack.port)
    [shown] = stack.telegram.wait_for(said)
    # Told of again in between: it is looked for in what was said before.
    between = word()
    stack.telegram.message(between, chat=chat).send(stack.port)
    stack.telegram.wait_for(between)
    stack.telegram.tap(shown, f"This {said}").send(stack.port)

    [_, sent] = stack.telegram.wait_for(said, 2)
    assert sent.json["text"] == f"echo: button {value} This {said}"


def test_a_suggestion_is_said(stack: Stack) -> None:
    said, chat = word(), next(_chats)
    stack.assistant.will(said, says(Reply((Text(f"Well, {said}"), Suggestions((f"More {said}",))))))
    stack.telegram.message(said, chat=chat).send(stack.port)
    [shown] = stack.telegram.wait_for(said)
    stack.telegram.tap(shown, f"More {said}").send(stack.port)

    [_, sent] = stack.telegram.wait_for(said, 2)
    assert sent.json["text"] == f"echo: More {said}"


def test_a_group_is_one_conversation_and_is_not_overheard(stack: Stack) -> None:
    """What people say to each other makes no turn; what is said to the bot is answered as a reply, in its topic."""
    said, chat = word(), -next(_chats)
    before = stack.ledger.counts()
    assert stack.telegram.message("among us", chat=chat).send(stack.port).body == b""
    assert stack.ledger.counts() == before
    text = f"@{USERNAME} {said}"
    mention = [{"type": "mention", "offset": 0, "length": len(USERNAME) + 1}]
    topic = {"message_thread_id": 7, "is_topic_message": True}
    stack.telegram.message(text, chat=chat, entities=mention, message_id=42, **topic).send(stack.port)

    [sent] = stack.telegram.wait_for(said)
    assert sent.json == {
        "chat_id": chat,
        "message_thread_id": 7,
        "reply_parameters": {"message_id": 42, "allow_sending_without_reply": True},
        "text": f"echo: {said}",
    }


def test_a_picture_that_telegram_cannot_reach_becomes_words(stack: Stack) -> None:
    said, chat = word(), next(_chats)
    stack.assistant.will(said, says(Reply((Image("http://127.0.0.1:1/m.png", f"A glass of {said}"),))))
    stack.telegram.will(
        said, refuses("400 Bad Request", "Bad Request: wrong file identifier/HTTP URL specified")
    )
    # The question holds the word as well, but is never sent to Telegram.
    stack.telegram.message(said, chat=chat).send(stack.port)

    photo, words = stack.telegram.wait_for(said, 2)
    assert photo.path.endswith("/sendPhoto")
    assert words.path.endswith("/sendMessage")
    assert words.json["text"] == f"A glass of {said}\nhttp://127.0.0.1:1/m.png"
    stack.ledger.wait_outbox(said, "sent")


def test_every_end_is_told_honestly(stack: Stack) -> None:
    """Blocked is not sent; "too many" waits its time; a 500 and a cut are unknown, and never sent again."""
    blocked, limited, broken, gone = (word() for _ in range(4))
    stack.telegram.will(blocked, refuses("403 Forbidden", "Forbidden: bot was blocked by the user"))
    stack.telegram.will(
        limited, refuses("429 Too Many Requests", "Too Many Requests: retry after 1", retry_after=1)
    )
    stack.telegram.will(broken, status("500 Internal Server Error"))
    stack.telegram.will(gone, cut)
    for said in (blocked, limited, broken, gone):
        stack.telegram.message(said, chat=next(_chats)).send(stack.port)

    assert stack.ledger.wait_outbox(blocked, "not_sent")[0]["reason"] == "blocked"
    assert stack.ledger.wait_outbox(broken, "unknown")[0]["reason"] == "http_500"
    stack.ledger.wait_outbox(gone, "unknown")
    assert stack.ledger.wait_outbox(limited, "sent")[0]["attempts"] == 2
    refused, taken = stack.telegram.about(limited)
    assert taken.arrived - refused.ended >= 1.0
    assert [len(stack.telegram.about(said)) for said in (blocked, broken, gone)] == [1, 1, 1]


def test_what_is_not_understood_is_accepted_and_kept(stack: Stack) -> None:
    """A 4xx would hold up its chat for a day."""
    said = word()
    delivery = stack.telegram.message(said, chat=next(_chats))
    broken = type(delivery)(delivery.body.replace(b'"date":1763800000', b'"date":"today"'))

    assert broken.send(stack.port).status == 200
    assert stack.ledger.turns(said) == []
    [letter] = stack.ledger.letters(said)
    assert (letter["kind"], letter["reason"]) == ("delivery", "wrong_schema")


def test_the_token_is_told_to_nobody_but_telegram(stack: Stack) -> None:
    """It is a part of the address of every call, of those that fail in every way too: and in no log, metric or row."""
    tellers = [word() for _ in range(4)]
    stack.telegram.will(tellers[0], refuses("404 Not Found", "Not Found"))
    stack.telegram.will(tellers[1], cut)
    stack.telegram.will(tellers[2], status("302 Found", b"", "Location: https://elsewhere.example/"))
    for said in tellers:
        stack.telegram.message(said, chat=next(_chats)).send(stack.port)
    fates = [stack.ledger.wait_outbox(said, fate) for said, fate in zip(tellers, _FATES, strict=True)]

    assert all(TELEGRAM_TOKEN in stack.telegram.about(said)[0].path for said in tellers), "it was in use"
    told = [str(fates), *(process.log.read_text(errors="replace") for process in stack.processes)]
    told.append(call(stack.port, "/metrics", method="GET").body.decode())
    told += [
        row["whole"]
        for table in _tables(stack)
        for row in stack.ledger.rows(f"SELECT t::text AS whole FROM {table} t")
    ]
    for secret in (TELEGRAM_TOKEN, TELEGRAM_TOKEN.partition(":")[2], TELEGRAM_SECRET):
        assert not any(secret in text for text in told)


def _tables(stack: Stack) -> list[str]:
    found = stack.ledger.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [row["tablename"] for row in found]


_FATES = ("not_sent", "unknown", "not_sent", "sent")
