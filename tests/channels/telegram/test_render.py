"""Replies as calls of the Bot API: golden examples, and Telegram's limits whatever an assistant says."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Bot, InlineKeyboardMarkup, LinkPreviewOptions, MessageEntity, ReplyParameters
from telegram.constants import (
    FloodLimit,
    InlineKeyboardButtonLimit,
    InlineKeyboardMarkupLimit,
    MessageLimit,
)
from telegram.request import BaseRequest, RequestData

from gateway.channels.base import Rendered
from gateway.channels.telegram import limits
from gateway.channels.telegram.surfaces import MESSAGES_MAX
from gateway.domain.control import value_of
from gateway.domain.reply import (
    Audio,
    Button,
    Buttons,
    Card,
    Image,
    Item,
    List,
    Part,
    Reply,
    Speech,
    Suggestions,
    Text,
)
from gateway.settings.accounts import TelegramAccount
from tests.channels.strategies import replies
from tests.channels.telegram.updates import ACCOUNT, BOT_TOKEN, TELEGRAM, callback, heard

CHAT = {"chat_id": "4815162342"}
GROUP = {"chat_id": "-1001234567890", "thread_id": "5", "reply_to": "77"}
PICTURE = Image("https://a.example/m.png", "A Martini")


def render(*parts: Part, address: dict[str, str] = CHAT) -> Rendered:
    return TELEGRAM.render(Reply(parts), "message", address, ACCOUNT)


def body(*parts: Part) -> dict[str, Any]:
    (payload,) = render(*parts).payloads
    return payload["body"]  # type: ignore[no-any-return]


def keys(drawn: dict[str, Any]) -> list[list[dict[str, str]]]:
    return drawn["reply_markup"]["inline_keyboard"]  # type: ignore[no-any-return]


def test_a_text_is_sent_as_it_stands_and_no_character_means_anything() -> None:
    text = "2 * 3 < 7 & <b>_x_</b>"

    assert render(Text(text)).payloads == (
        {"method": "sendMessage", "body": {"chat_id": 4815162342, "text": text}},
    )


def test_markdown_is_formatted_beside_the_text() -> None:
    assert body(Text("🍸 **Hi** <b>", markdown=True)) == {
        "chat_id": 4815162342,
        "text": "🍸 Hi <b>",
        "entities": [{"type": "bold", "offset": 3, "length": 2}],
    }


def test_texts_that_follow_one_another_are_one_message() -> None:
    """A chat takes one message a second."""
    assert body(Text("One."), Text("Two."))["text"] == "One.\n\nTwo."


def test_a_card_is_a_text_with_its_controls_under_it() -> None:
    drawn = body(Card("Martini", "Stir.", "cold", buttons=(Button("Make it", "m"), Button("Another", "a"))))

    assert drawn["text"] == "Martini\ncold\nStir."
    assert [(each["type"], each["length"]) for each in drawn["entities"]] == [("bold", 7), ("italic", 4)]
    assert keys(drawn) == [
        [{"text": "Make it", "callback_data": "b:m"}, {"text": "Another", "callback_data": "b:a"}]
    ]


def test_a_card_with_a_picture_is_a_photo_with_a_caption() -> None:
    (payload,) = render(Text("Here:"), Card("Martini", "Stir.", image=PICTURE)).payloads[1:]

    assert payload["method"] == "sendPhoto"
    assert payload["body"]["photo"] == "https://a.example/m.png"
    assert payload["body"]["caption"] == "Martini\nStir.\nA Martini"
    assert "text" not in payload["body"]


def test_a_picture_that_telegram_cannot_reach_has_words_instead() -> None:
    """The description and the address: what Telegram says no to is the picture alone."""
    (payload,) = render(Image("https://a.example/m.png", "A Martini", "Cold")).payloads

    assert payload["body"]["caption"] == "Cold\nA Martini"
    assert payload["instead"]["method"] == "sendMessage"
    assert payload["instead"]["body"]["text"] == "Cold\nA Martini\nhttps://a.example/m.png"


def test_a_link_that_telegram_does_not_take_on_a_button_is_spelled_instead() -> None:
    link = Button("Site", url="http://127.0.0.1:8080/menu")
    (payload,) = render(Buttons("Which?", (Button("Gin", "g"), link))).payloads

    assert keys(payload["body"]) == [
        [{"text": "Gin", "callback_data": "b:g"}, {"text": "Site", "url": "http://127.0.0.1:8080/menu"}]
    ]
    assert payload["instead"]["body"]["text"] == "Which?\nSite: http://127.0.0.1:8080/menu"
    assert keys(payload["instead"]["body"]) == [[{"text": "Gin", "callback_data": "b:g"}]]


def test_a_list_is_lines_and_what_can_be_chosen_has_a_button() -> None:
    drawn = body(List((Item("Gin", "dry", "show:gin"), Item("Rum")), title="Spirits", numbered=True))

    assert drawn["text"] == "Spirits\n1. Gin – dry\n2. Rum"
    assert keys(drawn) == [[{"text": "Gin", "callback_data": "i:show:gin"}]]


def test_pictures_of_a_lists_items_are_links_and_told() -> None:
    rendered = render(List((Item("Gin", image=PICTURE), Item("Rum"))))

    (payload,) = rendered.payloads
    assert payload["body"]["text"] == "• Gin (A Martini)\n• Rum"
    assert {"type": "text_link", "offset": 2, "length": 3, "url": PICTURE.url} in payload["body"]["entities"]
    assert rendered.degraded == ("list: pictures of its items shown as links",)


def test_controls_behind_one_another_share_a_keyboard() -> None:
    drawn = body(
        Text("Hi."),
        Buttons("Which?", tuple(Button(label, label) for label in "abcd")),
        Suggestions(("More",)),
    )

    assert drawn["text"] == "Hi.\n\nWhich?"
    assert [[key["text"] for key in row] for row in keys(drawn)] == [["a", "b", "c"], ["d"], ["More"]]
    assert keys(drawn)[2] == [{"text": "More", "callback_data": "s:More"}]


def test_a_keyboard_has_a_hundred_buttons_and_the_next_ones_stand_under_another_message() -> None:
    items = tuple(Item(f"Gin {number}", value=f"show:{number}") for number in range(99))
    first, second = render(List(items), Suggestions(("More", "Less"))).payloads

    assert sum(len(row) for row in keys(first["body"])) == 99
    assert [[key["text"] for key in row] for row in keys(second["body"])] == [["More", "Less"]]


def test_controls_alone_have_something_to_stand_under() -> None:
    assert body(Suggestions(("More",)))["text"].strip()


def test_what_telegram_cannot_show_is_degraded_and_told() -> None:
    rendered = render(Speech("Cheers"), Audio("https://a.example/a.mp3", "Clink"))

    assert rendered.degraded == ("speech: shown as text", "audio: shown as its transcript")
    assert rendered.payloads[0]["body"]["text"] == "Cheers\n\nClink\n\nAudio"


def test_a_reply_goes_where_its_message_came_from() -> None:
    """Into the topic; and in a group the first message is shown as the answer to its question."""
    first, second = render(Image("https://a.example/1.png", "One"), Text("Two"), address=GROUP).payloads

    assert first["body"]["chat_id"] == -1001234567890
    assert first["body"]["message_thread_id"] == second["body"]["message_thread_id"] == 5
    assert first["body"]["reply_parameters"] == {"message_id": 77, "allow_sending_without_reply": True}
    assert first["instead"]["body"]["reply_parameters"] == first["body"]["reply_parameters"]
    assert "reply_parameters" not in second["body"]


def test_an_empty_reply_is_no_message() -> None:
    assert render() == Rendered(())
    assert render(Text("  \n")) == Rendered(())


def test_a_reply_too_long_for_one_message_becomes_several_in_order() -> None:
    words = [f"word{number}🍸" for number in range(1_500)]

    rendered = render(Text(" ".join(words)), Suggestions(("More",)))

    texts = [payload["body"]["text"] for payload in rendered.payloads]
    assert len(texts) > 1
    assert " ".join(texts).split() == words
    assert ["reply_markup" in payload["body"] for payload in rendered.payloads] == [False] * (
        len(texts) - 1
    ) + [True]


def test_code_that_is_cut_is_code_in_each_message() -> None:
    code = "\n".join(f"    line_{number} = {number}" for number in range(300))
    rendered = render(Text(f"```python\n{code}\n```\nDone.", markdown=True))
    first, second = (payload["body"] for payload in rendered.payloads)

    assert "```" not in first["text"] + second["text"]
    assert [each["entities"][0]["type"] for each in (first, second)] == ["pre", "pre"]
    assert second["text"].endswith("\nDone.")


def test_what_does_not_fit_at_all_is_said_and_recorded() -> None:
    """What the user can do next is there all the same."""
    rendered = render(Text("x" * 40_000), Suggestions(("More",)))

    assert len(rendered.payloads) == MESSAGES_MAX
    assert "too long" in rendered.payloads[-1]["body"]["text"]
    assert keys(rendered.payloads[-1]["body"]) == [[{"text": "More", "callback_data": "s:More"}]]
    assert rendered.degraded[-1].endswith(f"messages beyond {MESSAGES_MAX} not shown")


def test_a_long_caption_follows_its_photo() -> None:
    photo, text = render(
        Card("Martini", "Stir. " * 300, image=PICTURE, buttons=(Button("Make it", "m"),))
    ).payloads

    assert "caption" not in photo["body"]
    assert text["body"]["text"].startswith("Martini\nStir.")
    assert "reply_markup" not in photo["body"]
    assert keys(text["body"]) == [[{"text": "Make it", "callback_data": "b:m"}]]


@pytest.mark.parametrize("value", ["x" * 62, "é" * 31, "x" * 63, "é" * 32, "🍸" * 500, "x" * 2_000])
def test_a_value_comes_back_whole_whatever_its_length(value: str) -> None:
    """Up to 62 bytes on the button; a longer one by its digest, which the ledger's own reply explains."""
    reply = Reply((Text("Hi"), Card("One", buttons=(Button("Other", "o"), Button("This", value)))))
    (payload,) = TELEGRAM.render(reply, "message", CHAT, ACCOUNT).payloads
    ((_, key),) = keys(payload["body"])

    assert len(key["callback_data"].encode()) <= InlineKeyboardButtonLimit.MAX_CALLBACK_DATA
    found = heard(callback(key["callback_data"], keyboard=keys(payload["body"])))
    assert found is not None
    assert (found.message.kind, found.message.text) == ("tap", "This")
    digest = found.address.get("value_digest")
    assert (found.message.value if digest is None else value_of(digest, [reply.parts])) == value
    assert (digest is None) == (len(value.encode()) <= 62)


@pytest.mark.parametrize("text", ["More", "é" * 31, "é" * 75, "🍸" * 75])
def test_a_suggestion_comes_back_as_its_text_whatever_its_length(text: str) -> None:
    drawn = body(Text("Hi"), Suggestions(("Less", text)))
    key = [key for row in keys(drawn) for key in row][1]

    assert len(key["callback_data"].encode()) <= 64
    found = heard(callback(key["callback_data"], keyboard=keys(drawn)))
    assert found is not None
    assert (found.message.kind, found.message.text) == ("text", text)


def test_our_limits_are_those_that_python_telegram_bot_documents() -> None:
    assert limits.TEXT_UNITS_MAX == MessageLimit.MAX_TEXT_LENGTH
    assert limits.CAPTION_UNITS_MAX == MessageLimit.CAPTION_LENGTH
    assert limits.ENTITIES_MAX == MessageLimit.MESSAGE_ENTITIES
    assert limits.CALLBACK_BYTES_MAX == InlineKeyboardButtonLimit.MAX_CALLBACK_DATA
    assert limits.KEYBOARD_BUTTONS_MAX == InlineKeyboardMarkupLimit.TOTAL_BUTTON_NUMBER
    assert limits.ROW_BUTTONS_MAX <= InlineKeyboardMarkupLimit.BUTTONS_PER_ROW
    account = TelegramAccount(channel="telegram", name="x", assistant="x")
    assert account.chat_messages_per_s == FloodLimit.MESSAGES_PER_SECOND_PER_CHAT
    assert account.bot_messages_per_s == FloodLimit.MESSAGES_PER_SECOND
    assert account.group_messages_per_min == FloodLimit.MESSAGES_PER_MINUTE_PER_GROUP


@given(replies, st.sampled_from([CHAT, GROUP]))
def test_any_reply_renders_within_telegrams_limits(reply: Reply, address: dict[str, str]) -> None:
    rendered = TELEGRAM.render(reply, "message", address, ACCOUNT)

    assert len(rendered.payloads) <= MESSAGES_MAX
    assert b"\\u0000" not in msgspec.json.encode(rendered.payloads)
    for payload in _calls(rendered):
        drawn = payload["body"]
        text = drawn["caption"] if "caption" in drawn else drawn.get("text", "x")
        assert text.strip()
        most = MessageLimit.CAPTION_LENGTH if "photo" in drawn else MessageLimit.MAX_TEXT_LENGTH
        assert len(text.encode("utf-16-le")) // 2 <= most
        assert len(drawn.get("entities", ())) <= MessageLimit.MESSAGE_ENTITIES
        controls = [key for row in keys(drawn) for key in row] if "reply_markup" in drawn else []
        assert len(controls) <= InlineKeyboardMarkupLimit.TOTAL_BUTTON_NUMBER
        for key in controls:
            assert key["text"].strip()
            assert ("url" in key) != ("callback_data" in key)
            assert (
                1
                <= len(key.get("callback_data", "x").encode())
                <= InlineKeyboardButtonLimit.MAX_CALLBACK_DATA
            )


class _Recorder(BaseRequest):
    """python-telegram-bot's own client, which tells what it would have sent."""

    sent: dict[str, Any]

    read_timeout = None

    async def initialize(self) -> None: ...

    async def shutdown(self) -> None: ...

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *args: Any, **more: Any
    ) -> tuple[int, bytes]:
        assert request_data is not None
        self.sent = request_data.parameters
        return 200, b'{"ok":true,"result":{"message_id":1,"date":1,"chat":{"id":1,"type":"private"}}}'


def _run(call: Coroutine[Any, Any, Any]) -> None:
    """Run *call*, which waits for nothing: no event loop is needed, and none is patched."""
    with pytest.raises(StopIteration):
        call.send(None)


@given(replies, st.sampled_from([CHAT, GROUP]))
def test_python_telegram_bot_sends_the_same_calls(reply: Reply, address: dict[str, str]) -> None:
    """Each call of ours is read by their types, and by their client sent again as it was."""
    recorder = _Recorder()
    bot = Bot(BOT_TOKEN, request=recorder, get_updates_request=recorder)
    for payload in _calls(TELEGRAM.render(reply, "message", address, ACCOUNT)):
        method = {"sendMessage": bot.send_message, "sendPhoto": bot.send_photo}[payload["method"]]
        ours = payload["body"]
        assert set(ours) <= set(inspect.signature(method).parameters)
        _run(method(**_typed(ours)))
        assert recorder.sent == ours


_TYPES: dict[str, Any] = {
    "entities": lambda value: MessageEntity.de_list(value, None),
    "caption_entities": lambda value: MessageEntity.de_list(value, None),
    "reply_markup": lambda value: InlineKeyboardMarkup.de_json(value, None),
    "reply_parameters": lambda value: ReplyParameters.de_json(value, None),
    "link_preview_options": lambda value: LinkPreviewOptions.de_json(value, None),
}


def _typed(ours: dict[str, Any]) -> dict[str, Any]:
    return {name: _TYPES[name](value) if name in _TYPES else value for name, value in ours.items()}


def _calls(rendered: Rendered) -> Iterator[dict[str, Any]]:
    for payload in rendered.payloads:
        yield payload
        if "instead" in payload:
            yield payload["instead"]


@given(replies)
def test_no_word_of_a_reply_is_lost_in_silence(reply: Reply) -> None:
    """Every text of the reply is in the messages, unless a line says that it is not."""
    rendered = TELEGRAM.render(reply, "message", CHAT, ACCOUNT)
    if rendered.degraded:
        return  # what was changed is told; test_degrade has the laws of changing

    shown = _squeezed("".join(_shown(rendered)))
    for part in reply.parts:
        for text in _plain_texts(part):
            assert _squeezed(text).casefold() in shown.casefold()


def _shown(rendered: Rendered) -> Iterator[str]:
    for payload in rendered.payloads:
        drawn = payload["body"]
        yield drawn.get("text", "") + drawn.get("caption", "")
        if "reply_markup" in drawn:
            yield from (key["text"] for row in keys(drawn) for key in row)


def _plain_texts(part: Part) -> Iterator[str]:
    """Yield the texts of *part* that are shown as they stand (Markdown changes its marks)."""
    match part:
        case Text(markdown=False) | Buttons():
            yield part.text
        case Image():
            yield from (part.alt, part.title)
        case Card():
            yield from (part.title, part.subtitle, part.text)
        case List():
            yield from (part.title, *(item.title for item in part.items), *(item.text for item in part.items))
        case Suggestions():
            yield from part.texts


def _squeezed(text: str) -> str:
    return "".join(text.replace("\x00", "\ufffd").split())
