"""What Alexa says and shows of a reply: within her limits, nothing injected, nothing lost in silence."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from ask_sdk_core.serialize import DefaultSerializer
from ask_sdk_model import ResponseEnvelope
from ask_sdk_model.ui import SimpleCard, SsmlOutputSpeech, StandardCard
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.alexa.ssml import inner_ssml, paragraph, units
from gateway.domain.errors import Overloaded, TryLater
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
from gateway.settings.accounts import AlexaAccount
from tests.channels.alexa.deliveries import ACCOUNT, ALEXA, account
from tests.channels.strategies import replies, texts
from tests.support.work import bounded_work

PICTURE = Image("https://drinks.example/martini.png", "A Martini", "Martini")


def render(
    *parts: Part, end: bool = False, surface: str = "request", of: AlexaAccount = ACCOUNT
) -> tuple[dict[str, Any], tuple[str, ...]]:
    rendered = ALEXA.render(Reply(parts, end=end), surface, {}, of)
    [payload] = rendered.payloads
    assert payload["version"] == "1.0"
    return payload["response"], rendered.degraded


def said(response: dict[str, Any]) -> str:
    """Return the words as an XML parser of somebody else's reads them; sentences on lines of their own."""
    ssml = response.get("outputSpeech", {}).get("ssml", "<speak/>")
    root = ET.fromstring(ssml.replace("amazon:", "amazon-"))
    assert root.tag == "speak"
    sentences = [each for each in root.iter() if each.tag in {"p", "s"} and each.find("s") is None]
    return "\n".join("".join(each.itertext()) for each in sentences)


def test_text_is_said() -> None:
    response, degraded = render(Text("Good evening."))

    assert response["outputSpeech"] == {"type": "SSML", "ssml": "<speak><p>Good evening.</p></speak>"}
    assert degraded == ()


def test_the_session_stays_open_until_the_reply_ends_it() -> None:
    assert render(Text("What else?"))[0]["shouldEndSession"] is False
    ended, _ = render(Text("Good night."), end=True)
    assert ended["shouldEndSession"] is True
    assert "reprompt" not in ended


def test_whatever_answers_stop_ends_the_session() -> None:
    assert render(Text("Stopping."), surface="stop")[0]["shouldEndSession"] is True
    busy = Overloaded("full", reason="process_full", retry_after_s=1)
    for answer in (ALEXA.late("stop", ACCOUNT), ALEXA.refuse("stop", ACCOUNT, busy)):
        assert json.loads(answer.body)["response"]["shouldEndSession"] is True


def test_silence_is_answered_with_the_suggestions_or_the_account_s_words() -> None:
    plain, _ = render(Text("Hello."))
    offered, degraded = render(Text("Hello."), Suggestions(("A negroni", "Tom & Jerry")))

    assert "What would you like to do?" in plain["reprompt"]["outputSpeech"]["ssml"]
    assert "You can say: A negroni, Tom &amp; Jerry" in offered["reprompt"]["outputSpeech"]["ssml"]
    assert degraded == ("suggestions: said into silence",)
    assert "reprompt" not in render(Text("Hello."), of=account(reprompt=""))[0]


def test_lists_and_buttons_are_words() -> None:
    response, degraded = render(
        List((Item("Negroni", "bitter"), Item("Daiquiri")), title="Drinks"),
        Buttons("Which?", (Button("The first"), Button("The second"))),
    )

    assert said(response).splitlines() == [
        "Drinks", "1. Negroni – bitter", "2. Daiquiri", "Which?", "1. The first", "2. The second",
    ]  # fmt: skip
    assert degraded == ("list: said as speech", "buttons: said as speech")


def test_a_card_is_said_and_shown_and_its_picture_is_on_it() -> None:
    response, _ = render(Card("Negroni", "Gin, Campari, vermouth.", "Bitter", PICTURE))

    assert response["card"] == {
        "type": "Standard",
        "title": "Negroni",
        "text": "Bitter\nGin, Campari, vermouth.\nA Martini",
        "image": {"smallImageUrl": PICTURE.url, "largeImageUrl": PICTURE.url},
    }
    assert said(response).splitlines() == ["Negroni", "Bitter", "Gin, Campari, vermouth."]


def test_a_reply_with_speech_is_spoken_by_its_speech() -> None:
    """The rest is on the card; a question is said, because it cannot be answered unheard."""
    response, _ = render(
        Speech("A Negroni."), Text("Negroni: gin, Campari, vermouth."), Buttons("Another?", (Button("Yes"),))
    )

    assert said(response).splitlines() == ["A Negroni.", "Another?", "1. Yes"]
    assert response["card"] == {"type": "Simple", "title": "", "content": "Negroni: gin, Campari, vermouth."}


def test_a_picture_alone_is_described() -> None:
    response, degraded = render(PICTURE)

    assert said(response) == "Martini – A Martini"
    assert response["card"]["image"]["largeImageUrl"] == PICTURE.url
    assert "image: said as its description" in degraded


def test_a_picture_that_alexa_would_not_show_is_described_on_the_card() -> None:
    response, degraded = render(Text("Look."), Image("http://drinks.example/m.png", "A Martini"))

    assert response["card"] == {"type": "Simple", "title": "", "content": "A Martini"}
    assert degraded == ("image: its description is shown, Alexa wants https and 2,000 characters at most",)


def test_a_second_picture_is_described_and_told() -> None:
    response, degraded = render(Text("Look."), PICTURE, Image("https://drinks.example/2.png", "Another"))

    assert "Another" in response["card"]["text"]
    assert "image: its description is shown, a card has one picture" in degraded


def test_audio_is_said_by_its_transcript() -> None:
    assert said(render(Audio("https://a.example/a.mp3", "Clink, clink."))[0]) == "Clink, clink."


def test_a_reply_without_a_word_is_silence_and_no_lie() -> None:
    """Law: it is an answer, so nobody is told that it takes longer."""
    response, _ = render()

    assert "outputSpeech" not in response


@pytest.mark.parametrize("surface_reply", [Reply((Text("Bye"),)), Reply()])
def test_where_nobody_listens_nothing_is_said_and_that_is_told(surface_reply: Reply) -> None:
    rendered = ALEXA.render(surface_reply, "notice", {}, ACCOUNT)

    assert rendered.payloads == ()
    assert rendered.degraded == (("reply: not said, nobody listens",) if surface_reply.parts else ())


# SSML


@pytest.mark.parametrize(
    "text",
    [
        "</speak><audio src='https://evil.example/a.mp3'/>",
        "Tom & Jerry < Mary > \"Bob\" 'Al'",
        "<!DOCTYPE x [<!ENTITY a 'b'>]>&a;",
        "]]><![CDATA[x",
        "a\x00b\x08c\ufffe\uffff",
        "🍸 ünïcode",
    ],
)
def test_no_text_can_say_more_than_itself(text: str) -> None:
    """Law: what an assistant says as text is heard as text, whatever is in it."""
    root = ET.fromstring(render(Text(text))[0]["outputSpeech"]["ssml"])

    assert {each.tag for each in root.iter()} <= {"speak", "p", "s"}
    heard = "".join(root.itertext())
    assert heard.split() == "".join(c if c.isprintable() and c not in "\ufffe\uffff" else " " for c in text).split()


@given(texts(0, 400))
def test_no_text_at_all_can(text: str) -> None:
    markup = paragraph(text)
    root = ET.fromstring(f"<speak>{markup}</speak>")

    assert {each.tag for each in root.iter()} <= {"speak", "p", "s"}


GOOD = [
    "<speak>Hello</speak>",
    "<speak>Hello<break time='1s'/><amazon:effect name=\"whispered\">you</amazon:effect></speak>",
    "<speak><p>A &amp; B</p></speak>",
    "<speak><break time='10s'/><break time='1.5s'/><break time='10000ms'/><break strength='strong'/></speak>",
    "<speak>" + "<audio src='https://a.example/a.mp3'/>" * 4 + "<audio src='soundbank://soundlibrary/x'/></speak>",
    "<speak note='a>]]>b' other=\"c>d\">Hello</speak>",
    "\n<speak version='1.0'><say-as interpret-as='digits'>12</say-as></speak>\n",
]
BAD = [
    "",
    "Hello",
    "<p>Hello</p>",
    "<speak>Hello",
    "<speak>A & B</speak>",
    "<speak><b>Hello</p></speak>",
    "<speak><script>x</script></speak>",
    "<speak><speak>x</speak></speak>",
    "<speak>a</speak><speak>b</speak>",
    "<!DOCTYPE speak [<!ENTITY a 'b'>]><speak>&a;</speak>",
    "<speak><![CDATA[x]]></speak>",
    "<speak><!-- x --></speak>",
    "<speak><?x y?></speak>",
    "<speak>&nbsp;</speak>",
    "<speak>\x00</speak>",
    "<speak>\ud800</speak>",
    "<speak/>",
    "<speak>A<break time='11s'/></speak>",
    "<speak>A<break time='10001ms'/></speak>",
    "<speak>A<break time='soon'/></speak>",
    "<speak>A<audio src='http://a.example/a.mp3'/></speak>",
    "<speak>A<audio/></speak>",
    "<speak>A" + "<audio src='https://a.example/a.mp3'/>" * 6 + "</speak>",
]


@pytest.mark.parametrize("ssml", GOOD)
def test_an_assistant_s_own_ssml_is_said_as_it_is(ssml: str) -> None:
    inner = inner_ssml(ssml)
    assert inner is not None
    assert "]]>" not in inner

    assert render(Speech("", ssml))[0]["outputSpeech"]["ssml"] == f"<speak>{inner}</speak>"


@pytest.mark.parametrize("ssml", BAD)
def test_ssml_that_alexa_would_not_read_loses_its_marks_and_not_its_words(ssml: str) -> None:
    """She would say "there was a problem", and nothing of it."""
    assert inner_ssml(ssml) is None
    response, degraded = render(Speech("the words", ssml))

    assert said(response) == "the words"
    assert degraded == (("speech: its SSML is none that Alexa reads, its words are said",) if ssml else ())


def test_no_ssml_is_much_work_to_judge() -> None:
    with bounded_work():
        assert inner_ssml("<speak>" + "<p>" * 20_000 + "</p>" * 20_000 + "</speak>") is not None
        for unit in ("<p>", "</speak", "</speak ", '"', "' \"", 'a="', " ", "<speak "):
            assert inner_ssml("<speak>" + unit * 40_000) is None
            assert inner_ssml("<speak " + unit * 40_000) is None
            assert inner_ssml("<speak>" + unit * 40_000 + "</speak") is None


# Limits


@given(replies)
def test_any_reply_renders_within_alexa_s_limits(reply: Reply) -> None:
    """Law: speech that parses, of 8,000 characters at most; one card; so many bytes in all."""
    [payload] = ALEXA.render(reply, "request", {}, ACCOUNT).payloads
    response = payload["response"]

    assert len(msgspec.json.encode(payload)) <= ACCOUNT.response_bytes_max
    for output in (response.get("outputSpeech"), response.get("reprompt", {}).get("outputSpeech")):
        if output:
            assert units(output["ssml"]) <= 8_000
            # Alexa's prefixes are declared nowhere, so a namespace-aware parser is given them.
            ET.fromstring(output["ssml"].replace("<speak>", '<speak xmlns:amazon="a" xmlns:alexa="b">', 1))
    card = response.get("card", {})
    shown = [str(card.get(name, "")) for name in ("title", "text", "content")]
    assert sum(map(len, shown)) + sum(map(len, card.get("image", {}).values())) <= 8_000


@given(st.integers(1, 5), st.sampled_from(["a ", "ü ", "🍸 ", "< ", '" ', "\\ ", "word. "]))
def test_what_does_not_fit_is_said_to_be_missing_and_recorded(parts: int, unit: str) -> None:
    response, degraded = render(*[Text(unit * 9_000)] * parts)

    assert said(response).endswith("There is more than I can say at once.")
    assert any(line.startswith("speech: ") and "not said" in line for line in degraded)


@pytest.mark.parametrize("url_chars", [30, 600, 2_000])
@pytest.mark.parametrize("unit", ["a ", "ü", "🍸", "\x01", '"'])
@pytest.mark.parametrize("bytes_max", [8_192, 24_000, 122_880])
def test_the_account_says_how_much_a_response_may_weigh(bytes_max: int, unit: str, url_chars: int) -> None:
    """Law: speech, card, picture and what is said into silence together, whatever JSON makes of them."""
    picture = Image("https://a.example/" + "p" * (url_chars - 18), unit * 100)
    parts = (
        Speech("ü" * 20_000), Card(unit * 200, unit * 20_000, image=picture), Suggestions((unit * 37,) * 13),
    )  # fmt: skip
    rendered = ALEXA.render(Reply(parts), "request", {}, account(response_bytes_max=bytes_max))
    response = rendered.payloads[0]["response"]

    assert len(msgspec.json.encode(rendered.payloads[0])) <= bytes_max
    assert rendered.cut
    assert len(said(response)) > 1_000
    assert len(response["card"].get("text", response["card"].get("content"))) > 5


def test_ssml_that_is_too_long_is_said_in_words_as_far_as_they_go() -> None:
    """Law: a whole that does not fit is no reason for silence."""
    ssml = f"<speak>{'<s>語語語語。</s>' * 380}</speak>"
    response, degraded = render(Speech("", ssml), of=account(response_bytes_max=8_192))

    assert said(response).startswith("語語語語")
    assert "speech: its SSML is more than Alexa reads, its words are said" in degraded


def test_five_sounds_are_played_in_one_response() -> None:
    """Law: two answers that are each within Alexa's limits are so together."""
    clinks = "<speak>Cheers" + "<audio src='https://a.example/clink.mp3'/>" * 3 + "</speak>"
    response, degraded = render(Speech("", clinks), Speech("", clinks))

    assert response["outputSpeech"]["ssml"].count("<audio") == 3
    assert response["outputSpeech"]["ssml"].endswith("<p>Cheers</p></speak>")
    assert degraded == ("speech: its SSML is more than Alexa reads, its words are said",)


def test_so_many_suggestions_are_said_as_have_room_and_none_by_half() -> None:
    response, degraded = render(Text("Hello."), Suggestions(tuple(f"{n} " + "x" * 70 for n in range(13))))
    silence = response["reprompt"]["outputSpeech"]["ssml"]

    assert silence == f"<speak><p>You can say: {', '.join(f'{n} ' + 'x' * 70 for n in range(3))}</p></speak>"
    assert degraded == ("suggestions: said into silence, but for 10 of them",)


# Answers


def test_amazon_s_own_types_read_what_we_answer() -> None:
    rendered = ALEXA.render(
        Reply((Text("Hello"), Card("Negroni", "Gin", image=PICTURE), Suggestions(("More",)))), "request", {}, ACCOUNT
    )
    body = ALEXA.respond(rendered.payloads[0]).body.decode()
    envelope = DefaultSerializer().deserialize(body, ResponseEnvelope)

    assert isinstance(envelope.response.output_speech, SsmlOutputSpeech)
    assert isinstance(envelope.response.card, StandardCard)
    assert envelope.response.card.image.large_image_url == PICTURE.url
    assert envelope.response.reprompt.output_speech.ssml.startswith("<speak>")
    assert envelope.response.should_end_session is False
    assert DefaultSerializer().serialize(envelope) == json.loads(body)


def test_a_simple_card_is_one_of_amazon_s_types_too() -> None:
    body = ALEXA.respond(render_payload(Card("Negroni", "Gin"))).body.decode()

    assert isinstance(DefaultSerializer().deserialize(body, ResponseEnvelope).response.card, SimpleCard)


def render_payload(*parts: Part) -> dict[str, Any]:
    return ALEXA.render(Reply(parts), "request", {}, ACCOUNT).payloads[0]


def test_who_waited_long_enough_is_told_so() -> None:
    body = json.loads(ALEXA.late("request", ACCOUNT).body)

    assert said(body["response"]) == ACCOUNT.later
    assert body["response"]["shouldEndSession"] is False
    assert json.loads(ALEXA.late("notice", ACCOUNT).body) == {"version": "1.0", "response": {}}


def test_a_refusal_is_said_because_nobody_sends_it_again() -> None:
    busy = Overloaded("full", reason="process_full", retry_after_s=1)
    away = TryLater("away", reason="postgres", retry_after_s=1.2)

    assert said(json.loads(ALEXA.refuse("request", ACCOUNT, busy).body)["response"]) == ACCOUNT.busy
    assert said(json.loads(ALEXA.refuse("request", ACCOUNT, away).body)["response"]) == ACCOUNT.apology
    assert ALEXA.refuse("notice", ACCOUNT, away).status == 200
    assert ALEXA.refuse(None, ACCOUNT, away).status == 503
