"""``python -m bench.channels``: what a message costs in its channel: verify, parse and render, in processor time.

The deliveries are those of the platforms' own side (``gateway/platforms``), each proved as the platform proves it; what
proves them and must be fetched (Alexa's chain) is kept, as it is in a gateway after the first message.  The reply is of
the size of The Bartender's longer ones: a text, a list of six to choose from, three suggestions.  No store, no network.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.report import Report, median, spread
from gateway.channels.base import Channel, Messages
from gateway.channels.registry import CHANNELS
from gateway.domain.http import Request
from gateway.domain.reply import Item, List, Reply, Suggestions, Text
from gateway.embedded.secret_files import ensure_secrets
from gateway.platforms.base import Call, Platform, Say, Scene
from gateway.platforms.registry import platforms
from gateway.settings.accounts import Account
from gateway.settings.load import load_account

__all__ = ["GOAL_US", "measure", "passage"]

#: Microseconds of processor time for one message.
GOAL_US = 150.0
_ACCOUNT = "bartender"
_SAID = "I have gin, lemon and honey 🍋, what can I make of that?"
_DRINKS = ("Bee's Knees", "Gin Sour", "Lemonade", "Bramble", "French 75", "Gin Fizz")
REPLY = Reply(
    (
        Text("With **gin**, lemon juice and honey you can make three drinks right now.", markdown=True),
        List(
            tuple(Item(name, "Gin, lemon juice and honey", f"show:{name.lower()}") for name in _DRINKS),
            "From your shelf",
            numbered=True,
        ),
        Suggestions(("How do I make the first one?", "Something sweeter", "Surprise me")),
    )
)


def passage(
    channel: Channel[Any], platform: Platform[Any], account: Account, at_s: float
) -> Callable[[], None]:
    """Return what takes one message of *platform* through *channel*; made once, it takes the same one each time."""
    scene = Scene(at_s=at_s, number=int(at_s * 1_000), origin="http://127.0.0.1:8089")
    delivery = platform.deliver(account, scene, Say(_SAID))
    signed = platform.signed(account, delivery, at_s=at_s)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    request = Request(signed.method, signed.path, "", headers, signed.body)
    proofs = {}
    for url in channel.proof_urls(request, account):
        path = url.partition(f"/{platform.name}/{account.name}")[2]
        served = platform.served(account, Call("GET", path, "", {}, b"", at_s, 1))
        proofs[url] = channel.read_proof(url, served.answer.body, account, at_s).value

    def pass_through() -> None:
        channel.proof_urls(request, account)
        channel.verify(request, account, at_s, proofs)
        parsed = channel.parse(request, account, at_s)
        assert isinstance(parsed, Messages)
        for inbound in parsed.inbound:
            assert channel.render(REPLY, inbound.surface, inbound.address, account).payloads

    pass_through()
    return pass_through


def measure(take: Callable[[], None], *, messages: int, rounds: int) -> list[float]:
    """Return the microseconds of processor time of a message, round by round."""
    costs = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(messages):
            take()
        costs.append(1e6 * (time.process_time() - began) / messages)
    return costs


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.channels", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within a few seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write goals and raw samples")
    options = parser.parse_args()
    report = Report("bench.channels", quick=options.quick)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "secrets").mkdir()
        ensure_secrets(home / "secrets")
        environ = {"SWITCHBOARD_HOME": str(home)}
        for name, platform in platforms(home).items():
            account, _ = load_account(name, _ACCOUNT, environ=environ)
            take = passage(CHANNELS[name], platform, account, time.time())
            costs = measure(take, messages=300 if options.quick else 3_000, rounds=3 if options.quick else 7)
            report.add(name, costs)
            report.goal(f"{name}: verify, parse and render", GOAL_US, median(costs), "µs", "most")
            report.note(f"{name}: {spread(costs)} µs")
    report.print()
    report.write(options.json)


if __name__ == "__main__":
    main()
