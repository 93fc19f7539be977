"""What guests say about themselves, to us, and at the door.

The order is part of the meaning: "forget that I hate gin" must not be heard as "I hate gin", so what is rarer and more
specific stands first, and care for somebody stands before any drink.
"""

from __future__ import annotations

from gateway.demo.bartender.hearing.phrase import phrase

__all__ = ["OF_GUEST"]

OF_GUEST = (
    phrase(
        "greet",
        """
        ^ hello/hi/hey/hiya/howdy/yo/greetings/hallo/hola/evening [there/bartender/again/my_friend/you/everyone/all]* $
        ^ [hello/hi/hey] good morning/afternoon/evening/day [there/bartender/again/my_friend/to_you]* $
        """,
    ),
    phrase(
        "thanks",
        "^ [ok/okay/great/many]* thank/thanks/thank_you/thx/cheers/merci/ta [you/a_lot/so_much/very_much/for]*",
        needs="no names",
    ),
    phrase(
        "goodbye",
        """
        ^ [ok/okay] goodbye/good_bye/bye/see_you/goodnight/good_night/farewell/so_long/ciao/stop/exit/quit
        ^ [ok/okay] thats_all/im_done/im_off/i_have_to_go/last_orders
        """,
        needs="no names",
    ),
    phrase(
        "yes",
        """
        ^ yes/yeah/yep/yup/sure/ok/okay/alright/of_course/please_do/go_on/why_not/do_it/perfect [please] $
        ^ sounds good/great/nice/lovely [please] $
        ^ lets do_it/do_that [please] $
        """,
    ),
    phrase(
        "no",
        """
        ^ no/nope/nah/not_really/no_way/rather_not/never_mind/nevermind/forget_it/no_thanks/no_thank_you $
        ^ [maybe] not_now/later $
        """,
    ),
    phrase(
        "help",
        """
        ^ help
        what can/could you/i do/ask/say
        what do you do
        how does/do/can this/it/you/i [i] work/help/use_this
        ^ who/what are you
        """,
        needs="no names",
    ),
    phrase(
        "allow",
        "forget [that] i dont/do_not/hate/dislike/cant/like/love/prefer",
    ),
    phrase(
        "allow",
        """
        i dont/do_not hate/dislike/mind
        i_am/im not/no_longer allergic
        """,
        needs="subjects",
    ),
    phrase(
        "forget_me",
        """
        forget me/everything/all/it_all/about_me/what_you_know/my
        delete/erase/clear/wipe me/my/everything/all/what
        """,
    ),
    phrase(
        "know_me",
        """
        what do/did you know/remember/have [still] about/of/on me
        what do i like/love/drink/hate/dislike
        know about me
        what did i have/drink/order
        my taste/tastes/profile/preferences/likes
        do you know/remember me/my_name/who
        who am i
        """,
    ),
    phrase("care", "driving\n i have_to/need_to/must drive\n designated driver\n by car", topic="driving"),
    phrase("care", "pregnant\n breastfeeding/breast_feeding\n expecting a baby/child", topic="pregnant"),
    phrase(
        "care",
        """
        i_am/im [only/just] 8/9/10/11/12/13/14/15/16/17 $
        i_am/im [only/just] 8/9/10/11/12/13/14/15/16/17 years/year/and/but/so/or/please/give/can/what/i/make/mix
        i_am/im [only/just] thirteen/fourteen/fifteen/sixteen/seventeen
        underage
        under age
        for [my/the/our] kid/kids/child/children
        """,
        topic="young",
    ),
    phrase(
        "care",
        """
        i_am/im/getting/feel/feeling [so/very/really/a_bit/a_little] drunk/wasted/tipsy/sick/dizzy
        had/drunk/drank too_much/too_many/enough
        hangover
        hungover
        hang over
        """,
        topic="drunk",
    ),
    phrase(
        "care",
        """
        i dont/do_not/never/stopped/quit drink/drinking [alcohol/any_more/anymore/at_all/booze]* $
        i_am/im sober/teetotal/in_recovery/recovering/an_alcoholic
        """,
        topic="sober",
    ),
    # A question about the drink, and no word about the guest.
    phrase(
        "suits",
        """
        ^ [and/but/so]* is/are it/this/that/they/these [really/also/all]* vegan/vegetarian/halal
        ^ [and/but/so]* is/are it/this/that/they/these [really/also/all]* gluten/dairy/lactose/milk/egg/nut free
        ^ [and/but/so]* does/do it/this/that/they/these have/contain/include
        ^ [and/but/so]* has/contains it/this/that
        ^ [and/but/so]* is/are there ... in it/this/that/them
        """,
        needs="contents",
    ),
    phrase(
        "suits",
        "^ [and/but/so]* is/are/does/do ... vegan/vegetarian/halal/free/contain/have\n ^ is/are there [any]*",
        needs="contents of a drink",
    ),
    phrase(
        "avoid",
        """
        allergic/allergy/allergies/intolerant/intolerance
        cant/cannot/must_not/may_not eat/have/drink/tolerate/take
        vegan/vegetarian/celiac/coeliac/halal
        gluten/dairy/lactose/nut/egg/nuts/eggs free
        """,
    ),
    phrase(
        "dislike",
        """
        [i] dont/do_not/didnt/cannot/cant/never/not [really/much/particularly]* like/love/enjoy/drink/fond_of/stand
        hate/dislike/detest/loathe
        not [a] [big/great] fan of
        """,
        needs="subjects",
    ),
    phrase(
        "reject",
        """
        dont/do_not/didnt [really] like/want/fancy [it/that/this/these/those/them]* $
        hate/dislike it/that/this
        not for me
        ^ not that/this [one] $
        """,
    ),
    phrase(
        "like",
        """
        !would/do/should/can i [really/do/also/still/just/absolutely/quite/actually]* like/love/adore/enjoy/prefer
        i_am/im [a/really/very/big/huge/great]* fan_of/into/fond_of
        my favourite/favorite
        """,
        needs="subjects",
    ),
    phrase(
        "like",
        """
        !would/do/should/can i [really/do/also/still/just]* like/love/adore/enjoy it/this/that/them
        its/that_was/this_is/it_was [so/really/very]* delicious/great/good/wonderful/lovely/amazing/excellent
        ^ love it
        ^ delicious/lovely/yum/yummy $
        """,
        needs="no names",
    ),
)
