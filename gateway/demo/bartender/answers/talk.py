"""Everything that is not about a drink, and the way back to one."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.demo.bartender.answers.going_on import another
from gateway.demo.bartender.answers.recipes import make
from gateway.demo.bartender.said import Said
from gateway.demo.bartender.visit import Visit

__all__ = [
    "cannot_see",
    "goodbye",
    "greet",
    "help_",
    "no",
    "nothing",
    "small_talk",
    "thanks",
    "unknown",
    "yes",
]

FIRST_STEPS = ("I have gin, lemon and honey", "Something refreshing", "Surprise me", "Invent one for me")
_HELP = (
    "I am the Bartender. Tell me what you have (“gin, lemon and honey”), what you like (“something smoky”), or a name "
    "(“what is a Negroni?”). Then go on: “something sweeter”, “without egg”, “for four people”, “make it "
    "non-alcoholic”, “why?”. I remember your tastes (“I don't like Campari”) until you say “forget me”. And if you "
    "have a moment: “invent one for me”."
)


def greet(visit: Visit) -> Said:
    """Answer "hello"."""
    name = f", {visit.guest}" if visit.guest else ""
    known = visit.tastes.likes or visit.tastes.dislikes or visit.tastes.avoids
    if known:
        text = f"Good to see you again{name}. I have not forgotten what you like. What shall it be?"
    else:
        text = visit.pick(
            f"Good evening{name}, and welcome. What have you got at home, and what are you in the mood for?",
            f"Welcome{name}! Tell me what is on your shelf, or what you feel like, and I shall find the drink.",
        )
    return visit.say(text, next=FIRST_STEPS)


def help_(visit: Visit) -> Said:
    """Answer "help"."""
    return visit.say(_HELP, next=FIRST_STEPS)


def thanks(visit: Visit) -> Said:
    """Answer "thank you"."""
    return visit.say(
        visit.pick("My pleasure. Cheers!", "That is what I am here for.", "You are welcome. To your health!"),
        next=("Another one", "Goodbye") if visit.session.current else ("Surprise me", "Goodbye"),
    )


def goodbye(visit: Visit) -> Said:
    """Answer "goodbye", and close the session where the platform has one."""
    return visit.say(
        visit.pick(
            "Good night, and get home safely.",
            "Until next time. I shall keep your seat warm.",
            "Cheers. Mind the step.",
        ),
        end=True,
    )


def yes(visit: Visit) -> Said:
    """Answer a bare "yes": to a drink in hand it means "make it"."""
    if visit.session.current or len(visit.session.results) == 1:
        return make(visit)
    if visit.session.results:
        return visit.say("Splendid. Which one? A number will do.", next=("The first one", "The second one"))
    return visit.say("I like the attitude. To what, though?", next=FIRST_STEPS)


def no(visit: Visit) -> Said:
    """Answer a bare "no"."""
    if visit.session.current:
        said = another(visit)
        return replace(said, text=f"Fair enough. {said.text}")
    return visit.say("As you like. I am here when you are thirsty.", next=("Surprise me", "Goodbye"))


def nothing(visit: Visit) -> Said:
    """Answer an empty message."""
    return visit.say("I heard nothing, which is rare in a bar. What may I get you?", next=FIRST_STEPS)


def cannot_see(visit: Visit) -> Said:
    """Answer a picture or a file."""
    return visit.say(
        "I can't look at pictures or files, my hands are wet. Tell me in words what is in it?",
        next=FIRST_STEPS,
    )


def unknown(visit: Visit) -> Said:
    """Answer what was not understood: honestly, and with a way on."""
    return visit.say(
        visit.pick(
            "That is beyond this side of the bar. With drinks I am better: what have you got, or what do you like?",
            "I only know about drinks, but about those quite a lot. Name an ingredient, a taste or a cocktail?",
            "You have lost me there. Shall we talk about something with ice in it?",
        ),
        next=("Help", *FIRST_STEPS[:3]),
    )


def small_talk(visit: Visit) -> Said:
    """Answer what people say to bartenders."""
    topic = visit.intent.topic
    if topic == "menu":
        free = sum(1 for profile in visit.catalogue.profiles.values() if not profile.alcohol_ml)
        count = len(visit.catalogue.drinks)
        return visit.say(
            f"I know {count} drinks, {free} of them without alcohol. Too many to read out, so: strong or light, "
            "sweet or bitter, or what is on your shelf?",
            next=("Show me the classics", "Something refreshing", "Show me mocktails", "Surprise me"),
        )
    text = {
        "how": "Polished, stocked and listening, thank you. And what are you in the mood for?",
        "joke": visit.pick(
            "A skeleton walks into a bar and says: a beer, please, and a mop.",
            "A grasshopper walks in. “We have a drink named after you!” “You have a drink called Kevin?”",
            "Two olives fall off the bar. “Are you all right?” “Olive.”",
        ),
        "self": "I am the Bartender: a small program with a big book of drinks, some rules, and no model behind it. "
        "But I do listen.",
        "praise": "You will make the ice blush. What may I pour you for that?",
        "insult": "I have heard worse at closing time, and poured them a good drink all the same. What may I get you?",
        "sad": "I am sorry to hear it. A good listener is on the house; so is a hot chocolate. Would you like that, "
        "or rather be surprised?",
        "bill": "It is all on the house. You bring the bottles, I bring the book.",
        "food": "The kitchen is closed, but salted almonds go with nearly everything. Something to drink with them?",
    }[topic]
    more = ("Hot chocolate", "Surprise me") if topic == "sad" else FIRST_STEPS
    return visit.say(text, next=more)
