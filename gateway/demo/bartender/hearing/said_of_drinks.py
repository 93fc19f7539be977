"""What guests say about drinks: the first table outranks "something sweeter", the second one does not."""

from __future__ import annotations

from gateway.demo.bartender.hearing.phrase import phrase

__all__ = ["OF_DRINKS", "OF_DRINKS_LATER"]

OF_DRINKS = (
    phrase(
        "invent",
        """
        invent/create/design/improvise/compose/devise
        come/dream up
        come up with
        make [me] something/one/a_drink/a_cocktail new/up/original/unique/special
        something new/original/unique/nobody
        your own creation/recipe
        """,
    ),
    phrase(
        "units",
        "in/use/show/prefer/want/to [the/all]* ounce/ounces/oz/imperial\n ^ ounces/oz [please] $",
        topic="oz",
    ),
    phrase(
        "units",
        """
        in/use/show/prefer/want/to [the/all]* ml/millilitre/millilitres/milliliter/milliliters/metric
        ^ ml/metric [please] $
        """,
        topic="ml",
    ),
    phrase(
        "substitute",
        """
        instead of
        in place of
        stand in for
        substitute/substitutes/substitution/replace/replacement/swap
        alternative/alternatives to/for
        """,
        needs="ingredients",
    ),
    phrase(
        "strength",
        """
        how strong/boozy/alcoholic/heavy/much_alcohol
        ^ [and/but/so]* is it/this/that [very/really/too]* strong/boozy/heavy/weak/alcoholic
        how many units
        units of alcohol
        alcohol content
        abv
        """,
    ),
    phrase("compare", "difference/different/versus/vs/compare/better/or", needs="two drinks"),
    phrase(
        "why",
        """
        ^ [but/and/so/oh/ok/okay]* why
        how come
        what makes you
        whats_the/what_is_the reason
        explain that/this/yourself/why
        """,
        needs="no drink",
    ),
    phrase(
        "surprise",
        """
        surprise/random
        you/u choose/pick/decide
        bartenders/dealers/your choice/favourite/favorite/recommendation/pick
        up to you
        feeling lucky
        ^ anything/whatever/i_dont_care/dont_care/i_dont_know/no_idea $
        """,
    ),
    phrase(
        "list",
        """
        back to [the] list/options
        show/repeat/see [me] [the/that/those/your] list/options/results
        say/tell_me/repeat that/it/this again
        what were they/those/the
        ^ [go] back $
        ^ again $
        ^ repeat
        ^ what_was_that
        ^ pardon/sorry/what $
        """,
    ),
    phrase(
        "small_talk",
        """
        how many drinks/cocktails/recipes/mocktails
        the/your/a menu
        ^ menu $
        what drinks/cocktails do you know/have
        list all/every
        what do you have/know/serve/recommend $
        what have you got
        """,
        needs="no names",
        topic="menu",
    ),
    phrase(
        "make",
        """
        how do/to/would/can/should/is/are
        recipe/recipes/ingredient/ingredients/steps/method/instructions
        make/mix/prepare/shake/stir/pour
        whats/what_is/what_goes/what_comes in/into/inside
        ill/i_will/id/i_would/i_want/i_fancy/let_me/can_i/could_i/may_i [like/have/take/try/get]* a/an/the/one
        give me
        ^ one/a/an/the ... please $
        """,
        needs="drink",
    ),
    phrase("show", "what/whats/who/tell_me/about/describe/story/history/show/explain", needs="drink"),
    phrase(
        "another",
        """
        ^ [and/ok/okay/give_me/show_me/i_want/now/please]* another/next/more/other/others [one/please]* $
        another/next/one_more one/drink/cocktail/idea/option/suggestion
        something else
        something different
        a different one
        what/anything/something/whats else
        other/more ideas/options/suggestions/drinks/cocktails
        keep going
        show [me] more
        """,
        needs="no names",
    ),
)

OF_DRINKS_LATER = (
    phrase(
        "make",
        """
        how do/to/would/can/should [i/you/we/one] ... make/mix/prepare/do/it/that/this/one
        ^ [the/give_me/whats/show_me]* [full] recipe/method/instructions/ingredients/steps
        make/mix/shake/stir/pour [me] it/that/this/one/the
        ill/i_will/lets/id_like_to have/take/try/make/do/go_with ... it/that/this/one
        what do i need
        what should i buy
        ^ [the/a/my]* shopping list
        ^ that/this [one] $
        whats/what_is in it/that/this
        ^ how [exactly/please]* $
        what glass
        ^ [which/the]* glass/garnish/ice $
        """,
        needs="no names",
    ),
    phrase(
        "show",
        """
        tell me more/about
        whats/what_is it/that/this [one/drink/cocktail] $
        whats/what_is/about the first/second/third/fourth/fifth/sixth/last
        more about
        describe/story/history
        about it
        """,
        needs="no names",
    ),
    phrase(
        "have",
        """
        i/we [also/only/just/still]* have/got/own/bought/found
        ive/weve
        there is/are
        theres
        my/the/our fridge/bar/kitchen/cupboard/shelf/home/house
        at home
        in stock
        left over
        leftover
        """,
        needs="ingredients",
    ),
)
