"""Small talk, and the plain wish for a drink at the very end of everything that can be said."""

from __future__ import annotations

from gateway.demo.bartender.hearing.phrase import phrase

__all__ = ["IN_PASSING"]

IN_PASSING = (
    phrase(
        "small_talk",
        "how are you\n hows_it going\n whats up\n how do you do\n you ok",
        needs="no names",
        topic="how",
    ),
    phrase("small_talk", "joke\n funny/lol/haha/hehe\n make me laugh/smile", needs="no names", topic="joke"),
    phrase(
        "small_talk",
        "your name\n whats your\n robot/human/chatgpt/machine/ai\n real person\n a bot",
        needs="no names",
        topic="self",
    ),
    phrase(
        "small_talk",
        """
        good/great/nice/clever/smart/best bot/bartender/job/work
        you_are/youre great/good/nice/funny/the_best/awesome/cute
        love/like you
        """,
        needs="no names",
        topic="praise",
    ),
    phrase(
        "small_talk",
        "stupid/idiot/useless/dumb/suck/sucks/terrible/worst/fuck/shit/crap/rubbish\n shut up\n hate you\n piss off",
        needs="no names",
        topic="insult",
    ),
    phrase(
        "small_talk",
        "sad/lonely/tired/stressed/heartbroken\n bad/hard/long/terrible/rough day\n broke up",
        needs="no names",
        topic="sad",
    ),
    phrase(
        "small_talk",
        "price/cost/pay/bill/tab/tip/money/cheap/cheaper/expensive\n how much is",
        needs="no names",
        topic="bill",
    ),
    phrase("small_talk", "food/eat/hungry/snack/snacks/dinner/crisps", needs="no names", topic="food"),
    phrase(
        "wish",
        """
        recommend/suggest/suggestion/something/thirsty/drink/drinks/cocktail/cocktails/order/idea/ideas/booze/alcohol
        what can/should/could/shall/would i/we make/drink/mix/have/do/try/order
        give me
        i want/need/would_like
        id like/love
        """,
    ),
)
