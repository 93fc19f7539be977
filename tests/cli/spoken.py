"""Conversations in a ledger, made the way the gateway makes them: accepted, then settled."""

from __future__ import annotations

import psycopg2

from gateway.domain.message import Inbound, Message, Sender
from gateway.domain.reply import Card, Item, List, Reply, Text
from gateway.domain.turn import Settlement
from gateway.store.ledger import process as processes
from gateway.store.ledger.accept import Accepted, accept
from gateway.store.ledger.arrange import Arrival
from gateway.store.ledger.settle import Settling, settle

__all__ = ["speak"]


def speak(database_url: str) -> None:
    """Write an answered and an open turn of Ada's, a failed one of Bob's, and Eve's, which nobody runs."""
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        me = processes.register(cursor, "gateway", "test")

        def hear(channel: str, user: str, key: str, message: Message) -> Accepted:
            inbound = Inbound(
                f"{user} at home", (key,), Sender(user, user.title()), message, "event", {"to": user}
            )
            [accepted] = accept(
                cursor, me, [Arrival(channel, "bartender", inbound, "trace")], waiting_max=10
            )
            return accepted

        def answer(heard: Accepted, settlement: Settlement) -> None:
            assert heard.lane is not None
            settle(cursor, me, [Settling(heard.lane, settlement, keep=True)])

        ada = hear("slack", "ada", "1", Message("text", "I have gin\nand lemon"))
        assert ada.head is not None
        reply = Reply(
            (
                Text("Then:"),
                List((Item("Gin Sour"), Item("Fizz")), numbered=True),
                Card("Gin Sour", "Shake it."),
            )
        )
        answer(
            ada, Settlement(turn=ada.head, state="answered", reply=reply, degraded=("card: shown as text",))
        )
        hear("slack", "ada", "2", Message("tap", name="make", value="gin-sour"))

        bob = hear("webchat", "bob", "3", Message("text", "\x1b[2J evil"))
        assert bob.head is not None
        answer(
            bob, Settlement(turn=bob.head, state="failed", reply=Reply((Text("Sorry"),)), reason="timeout")
        )

        hear("webchat", "eve", "4", Message("command", name="/drink", text="rum"))
        cursor.execute("UPDATE conversations SET owner_process = NULL, orphaned = true WHERE key LIKE 'eve%'")
    connection.close()
