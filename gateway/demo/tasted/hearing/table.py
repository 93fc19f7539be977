"""What cooks say, in the order in which it is asked (:mod:`gateway.demo.language.sayings` is the language).

``needs`` tells what must have been named for a line to apply: "recipe", "ingredient", "subject" (anything but a
recipe), "time", or "nothing" at all.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from gateway.demo.language.sayings import compiled, words_of
from gateway.demo.tasted.hearing.intent import Act

__all__ = ["TABLE", "Line", "Needs"]

Needs = Literal["", "nothing", "recipe", "no recipe", "ingredient", "subject", "time"]


class Line(NamedTuple):
    """What some sayings mean."""

    act: Act
    pattern: re.Pattern[str]
    needs: Needs
    #: All words of the sayings: they are known words, and no typos.
    words: frozenset[str]

    def fits(self, sentence: str) -> bool:
        """Whether any of the sayings is in *sentence* (plain words)."""
        return self.pattern.search(f" {sentence} ") is not None


def _line(act: Act, sayings: str, needs: Needs = "") -> Line:
    return Line(act, compiled(sayings), needs, words_of(sayings))


TABLE = (
    # About the cook.
    _line("forget_me", "forget me/everything/about_me/all_about_me\n delete my data/memory/everything\n start over"),
    _line("know_me", "what ... know/remember about me\n what do you remember\n who am i"),
    _line(
        "allow",
        """
        can eat ... again
        forget that i
        i_am/im/we_are no_longer/not
        no_longer/not allergic/avoid
        i eat ... again/now
        """,
        "subject",
    ),
    _line(
        "avoid",
        """
        i_am/im/we_are/were [a/an/strictly]* vegan/vegetarian/pescatarian/veggie/coeliac/celiac
        i_am/im/we_are/were gluten_free/dairy_free/lactose_intolerant
        allergic/allergy/intolerant/intolerance
        i/we dont/do_not/cant/cannot/never/must_not eat/tolerate/like/stand
        i hate/dislike/avoid
        """,
        "subject",
    ),
    _line("avoid", "allergic/allergy/allergies"),
    _line(
        "unfavourite",
        "remove/delete/take ... favourites/favorites\n no longer a favourite/favorite\n not my favourite/favorite",
    ),
    _line(
        "favourite",
        """
        save/keep/remember/bookmark/star it/this/that/the
        add ... favourites/favorites
        a/my [new]* favourite/favorite
        i love/loved/like/liked it/this/that
        ^ love/loved it
        """,
    ),
    _line(
        "favourites",
        "my/list/show/what ... favourites/favorites/saved\n ^ favourites/favorites $\n what have i saved",
    ),
    # Timers.
    _line(
        "timer_off",
        """
        cancel/stop/delete/remove/end/clear/switch_off/turn_off ... timer/timers/reminder/reminders/alarm
        no more timer/timers
        timer/timers off
        ^ cancel/stop/delete all/everything [please]* $
        """,
    ),
    _line(
        "timers",
        """
        how long/much ... timer/timers
        how long still/left/more/yet
        how much time/longer
        time left/remaining
        what/which/show/list/any/my ... timers
        ^ timers $
        when ... timer/ring
        """,
    ),
    _line(
        "timer",
        """
        timer/timers/alarm
        remind/wake me
        call/ping/tell me when/in/to/after/from
        call/ping me $
        let me know when/in/after
        """,
    ),
    # At the stove.
    _line("list", "show/repeat [me]* [the/that]* list\n ^ [the]* list $\n back to the list\n what were they"),
    _line("where", "where was/am/are/were i/we\n which/what step\n what was i doing/cooking\n am i cooking"),
    _line("done", "^ [im/i_am/its/all]* done/finished/ready $\n we have eaten\n it is done"),
    _line(
        "stop",
        """
        ^ stop/pause/cancel/quit/exit/enough [cooking/it/now/please]* $
        stop/pause cooking
        later/tomorrow $
        save my place
        """,
    ),
    _line("timer_off", "^ [please]* cancel"),
    _line(
        "repeat",
        """
        repeat/again [that/it/this/please/the_step/step]* $
        say that/it again
        once more
        ^ pardon/sorry/what $
        what did you say
        what do/should/must i do [now/next]* $
        what temperature/heat
        how hot
        """,
        "nothing",
    ),
    _line("back", "^ [go/one/step]* back [please]* $\n previous/last step\n step back\n the step before"),
    _line(
        "next",
        """
        ^ [ok/okay/and/now/yes]* next [step/please/one]* $
        next step
        what next/now
        whats next
        go on/ahead
        ^ [ok/okay/yes/right/and]* continue/carry_on/go_on/then/done_that/got_it [please]* $
        and then
        i_am/im back
        """,
        "nothing",
    ),
    _line("yes", "^ yes/yeah/yep/yup/sure/ok/okay/alright/of_course/why_not [please/yes/ok]* $", "nothing"),
    _line(
        "no",
        "^ no [no/thanks/thank_you/way/please]* $\n ^ never mind $\n ^ not really/now/this/that/these $",
        "nothing",
    ),
    _line(
        "cook",
        """
        cook it/this/that/now/with_me/along
        lets cook/start/begin/make/do/go
        start/begin cooking/it/now/this/that/the/with
        ^ cook/start/begin [now/please]* $
        i/we want/would_like/will to cook/make it/this/that/the
        step by step
        guide me
        walk me through
        cook/make/prepare/start [the]* first/second/third/fourth/fifth/sixth/last
        """,
    ),
    _line("cook", "cook/make/prepare/start/begin", "recipe"),
    # Of the recipe at hand.
    _line(
        "suits",
        "is/are/would it/this/that/they/the/there\n does it/this/that have/contain\n any ... in it/that/this",
        "subject",
    ),
    _line("suits", "^ is/are/does", "subject"),
    _line(
        "instead",
        "instead of\n substitute/replace/swap/replacement\n in place of\n alternative to/for",
        "ingredient",
    ),
    _line("instead", "use/take/put/add/have instead $\n what [else]* instead", "nothing"),
    _line("how_much", "how much/many\n what amount/quantity\n grams of", "ingredient"),
    _line(
        "ingredients",
        """
        what/which ingredients/do_i_need
        ^ [the/list/show/and/read/me]* ingredients
        shopping list
        what goes in/into
        whats in it
        what should i buy
        """,
    ),
    _line("how_long", "how long/quick/fast\n how much time\n how many minutes", "no recipe"),
    _line("how_long", "how long", "recipe"),
    _line(
        "another",
        """
        another/different/other one/recipe/idea/suggestion
        something else
        ^ [show_me/give_me/any]* more/another/others [please]* $
        what else
        """,
        "nothing",
    ),
    _line("show", "picture/pictures/photo/image", "nothing"),
    # By the way.
    _line("thanks", "thanks/thank_you/cheers/thx", "nothing"),
    _line("goodbye", "bye/goodbye/good_night/see_you", "nothing"),
    _line(
        "insult",
        "stupid/idiot/useless/dumb/suck/sucks/terrible/worst/fuck/shit/crap/rubbish\n shut up\n hate you\n piss off",
        "nothing",
    ),
    _line(
        "help",
        """
        help
        what can you do
        how does this work
        who/what are you
        your name
        are you a/an/real/human
        """,
        "nothing",
    ),
    _line("greet", "^ hello/hi/hey/good_morning/good_afternoon/good_evening/hiya", "nothing"),
    _line(
        "find",
        """
        what/something/anything/whatever/recipe/recipes/idea/ideas/suggest/recommend/hungry/food/surprise/random
        i dont know/care
        you choose/pick/decide
        i_have/ive_got/ive/weve/we_have/i_got/there_is/there_are/leftover/use_up
        cook/make/eat/bake
        """,
    ),
)
