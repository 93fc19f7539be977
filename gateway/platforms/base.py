"""What the other side of a channel is: a platform, as the gateway meets it.

A platform speaks to the gateway (``deliver``, ``signed``), reads what the gateway answers (``answered``), is called by
it (``served``), and shows a person the outcome (:class:`Seen`).  Everything here is written from the platform's own
documents and imports nothing of ``gateway.channels``: a mistake in a channel must not find its own like here.

Rules for who writes one:

1. A file or folder of the platform's name beside this one, a class, and a line in ``registry.py``.  No state but what
   the constructor reads of *home* (a certificate authority's files, say): the stand-in process and a command that
   simulates are two processes and must say the same.
2. Ids are made of names: the same ``Scene.user`` is the same person in every run (:func:`digits`, :func:`letters`).
   What must differ from delivery to delivery, or increase, is made of ``Scene.number``.
3. Where the gateway calls: ``<origin>/<platform>/<account>/...``, and the origin is the stand-in's.  ``served`` gets
   the rest of the path.  It refuses what the platform would refuse (a wrong token, an empty text, one that is too long)
   in the platform's own words: a stand-in that takes everything proves nothing.
4. What a user sees is text as they would read it (markup taken out), with the controls in the order in which they
   stand.  A control carries in ``token`` whatever ``deliver`` needs in order to report that it was used.
5. Time, randomness and the network are the caller's: a scene says when it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from gateway.settings.accounts import Account

__all__ = [
    "Act",
    "Answer",
    "Call",
    "Control",
    "Delivery",
    "Inbox",
    "Offers",
    "Picture",
    "Platform",
    "Say",
    "Scene",
    "Seen",
    "Served",
    "Shows",
    "Signed",
    "Tap",
    "Unprovable",
    "digits",
    "json_answer",
    "letters",
]

A_contra = TypeVar("A_contra", bound=Account, contravariant=True)

#: How a late reply reaches a user: ``stand_in``, the gateway calls the platform, which is the stand-in; ``stream``, the
#: user's own program reads the gateway's stream (web chat).
Inbox = Literal["stand_in", "stream"]
#: What can be shown beside words: controls to tap, pictures.
Shows = Literal["controls", "pictures"]
#: What it has beyond two who talk: rooms with others; a second, different delivery of one message; messages that it is
#: sent, which can meet a fault.
Offers = Literal["groups", "twins", "faults"]


class Unprovable(ValueError):
    """An account has nothing to prove a delivery by; the text names the setting."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Who speaks, where, when."""

    #: A person's name, of which their ids are made.
    user: str = "you"
    #: A name for a conversation beside the user's main one: a thread, a topic, a chat.  Empty: the main one.
    thread: str = ""
    #: In a room with others, where the bot is addressed by its name; else between the two of them.
    group: bool = False
    #: Which room with others, by a name of which its id is made.
    room: str = ""
    #: Unix seconds.
    at_s: float
    #: Larger than that of every scene before, in this process and in others; below 2 to the 53rd.
    number: int
    #: Scheme, host and port of the stand-in: what goes into addresses that the gateway is to call.
    origin: str = ""


class Control(msgspec.Struct, frozen=True):
    """Something that can be tapped."""

    label: str
    #: What the platform needs to report the tap; plain JSON, read by nobody else.
    token: dict[str, Any] = {}
    #: Where it leads, if it only opens an address: then no tap is reported.
    url: str = ""


class Picture(msgspec.Struct, frozen=True):
    """An image that is shown; ``alt`` is what it is called for who cannot see it."""

    url: str
    alt: str = ""


class Seen(msgspec.Struct, frozen=True):
    """One message as its user meets it."""

    text: str
    controls: tuple[Control, ...] = ()
    pictures: tuple[Picture, ...] = ()
    #: What is peculiar about it, in words for a person: "only you can see this", "spoken", "the session ends".
    notes: tuple[str, ...] = ()
    #: ``progress`` is a sign of life (typing, a preview, "one moment"), and no answer.
    kind: Literal["message", "progress"] = "message"


class Say(msgspec.Struct, frozen=True):
    """The user says *text*, in the way that this platform has for it: typed, spoken, or as a command with a slash."""

    text: str


class Tap(msgspec.Struct, frozen=True):
    """The user taps *control*, which they have seen in this conversation."""

    control: Control


Act = Say | Tap


class Delivery(msgspec.Struct, frozen=True):
    """One HTTP call that the platform makes, before it is proved: it can be made again, later, with a fresh proof."""

    body: bytes
    path: str
    content_type: str = "application/json"
    #: Whom ``signed`` proves, where that is a person and not the platform.
    speaker: str = ""


class Signed(msgspec.Struct, frozen=True):
    """A delivery as it goes over the wire."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer: the gateway's to a delivery, or the platform's to a call.  Header names are lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


class Call(msgspec.Struct, frozen=True):
    """One HTTP call that the gateway makes.  ``path`` is what follows ``/<platform>/<account>``."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    at_s: float
    #: Larger than that of every call before: of it ids of messages are made.
    number: int


class Served(msgspec.Struct, frozen=True):
    """What a call comes to: the platform's answer, and what somebody at ``place`` sees by it, if anything."""

    answer: Answer
    place: str = ""
    seen: tuple[Seen, ...] = ()
    #: Name of the account whose users see it, where several have one address; empty: the one of the address.
    account: str = ""


class Platform(Protocol[A_contra]):
    """A platform's own side.  Made with the folder of this copy's state (``SWITCHBOARD_HOME``)."""

    def __init__(self, home: Path) -> None: ...

    @property
    def name(self) -> str:
        """The channel's word in ``/hooks/<channel>/<account>``, and in the stand-in's addresses."""
        ...

    @property
    def inbox(self) -> Inbox:
        """How what comes later reaches the user."""
        ...

    @property
    def shows(self) -> frozenset[Shows]:
        """What a user of it has beside words; a script that asks for the rest is told that it is not shown here."""
        ...

    @property
    def offers(self) -> frozenset[Offers]:
        """What can be tried on it; whoever asks for the rest is refused before anything is sent."""
        ...

    def api_base_url(self, account: A_contra) -> str:
        """Return where the gateway would send this account's replies; empty if it is told with each delivery."""
        ...

    def place(self, account: A_contra, scene: Scene) -> str:
        """Return the conversation in the platform's own terms: by it ``Served`` and the scene find each other."""
        ...

    def deliver(self, account: A_contra, scene: Scene, act: Act) -> Delivery:
        """Return the delivery by which the platform tells what was done.

        :raises Unprovable: the account lacks what the platform would put into it.
        """
        ...

    def twin(self, account: A_contra, scene: Scene, act: Act) -> Delivery | None:
        """Return the second, different delivery that the platform makes of the same message; None: it makes none."""
        ...

    def signed(self, account: A_contra, delivery: Delivery, *, at_s: float, repeat: int = 0) -> Signed:
        """Return *delivery* with its proof of *at_s*.  *repeat* counts redeliveries of it, for who tells that.

        :raises Unprovable: the account has no secret to prove it by.
        """
        ...

    def answered(self, account: A_contra, delivery: Delivery, answer: Answer) -> tuple[Seen, ...]:
        """Return what the user sees because of the gateway's *answer* to *delivery*: mostly nothing where it pushes."""
        ...

    def served(self, account: A_contra, call: Call) -> Served:
        """Return what the platform's send API says to *call*, and what it shows because of it."""
        ...

    def refusal(self, status: Literal[429, 500], retry_after_s: int) -> Answer:
        """Return the answer of a send API above a rate limit, or with a fault of its own."""
        ...


def digits(name: str, count: int) -> int:
    """Return a number of *count* decimal digits that stands for *name*, the same everywhere."""
    low: int = 10 ** (count - 1)
    return low + int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big") % (9 * low)


def letters(name: str, count: int) -> str:
    """Return *count* capital letters and digits that stand for *name*, the same everywhere."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    found = ""
    for _ in range(count):
        number, at = divmod(number, len(alphabet))
        found += alphabet[at]
    return found


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return *value* as a JSON body."""
    return Answer(status, msgspec.json.encode(value), {"content-type": "application/json", **(headers or {})})
