"""Any reply that an assistant may send: hypothesis strategies within the bounds of the published schema."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec import UNSET

from gateway.domain.reply import (
    Audio,
    Button,
    Buttons,
    Card,
    File,
    Image,
    Item,
    List,
    Reply,
    Speech,
    Suggestions,
    Text,
)

__all__ = ["parts", "replies", "texts"]

_CHARACTERS = st.characters(exclude_categories=["Cs"])
#: Marks of every format that a renderer may trip over, between ordinary and odd characters.
_MARKS = st.sampled_from(
    ["*", "**", "_", "`", "```", "&", "<", ">", "<!channel>", "[a](https://x.example)", "|"]
)


def texts(min_size: int, max_size: int) -> st.SearchStrategy[str]:
    """Return texts with marks in them, and now and then one that fills its bound."""
    short = st.lists(st.one_of(_CHARACTERS, _MARKS), min_size=min_size, max_size=min(max_size, 40)).map(
        lambda pieces: "".join(pieces)[:max_size]
    )
    long = st.tuples(st.one_of(_CHARACTERS, _MARKS), st.integers(max_size // 2, max_size)).map(
        lambda drawn: ((drawn[0] * drawn[1])[: drawn[1]] or "x")[:max_size]
    )
    return st.one_of(short, short, short, long).filter(lambda text: len(text) >= min_size)


_urls = st.sampled_from(["https://drinks.example/martini.png", "http://127.0.0.1:8080/a?b=c&d=(e)|f"])
_images = st.builds(Image, url=_urls, alt=texts(1, 500), title=texts(0, 500))
_maybe_image = st.one_of(st.just(UNSET), _images)
_button = st.builds(Button, label=texts(1, 75), value=texts(0, 2_000), url=st.one_of(st.just(UNSET), _urls))
_item = st.builds(Item, title=texts(1, 500), text=texts(0, 500), value=texts(0, 2_000), image=_maybe_image)

parts = st.one_of(
    st.builds(Text, text=texts(0, 40_000), markdown=st.booleans()),
    st.builds(Speech, text=texts(0, 40_000), ssml=st.one_of(st.just(""), texts(0, 40_000))),
    _images,
    st.builds(Audio, url=_urls, transcript=texts(1, 40_000), title=texts(0, 500)),
    st.builds(File, url=_urls, name=texts(1, 500)),
    st.builds(Buttons, text=texts(0, 40_000), buttons=st.lists(_button, min_size=1, max_size=25).map(tuple)),
    st.builds(
        Card,
        title=texts(1, 500),
        text=texts(0, 40_000),
        subtitle=texts(0, 500),
        image=_maybe_image,
        buttons=st.lists(_button, max_size=25).map(tuple),
    ),
    st.builds(
        List,
        items=st.lists(_item, min_size=1, max_size=100).map(tuple),
        title=texts(0, 500),
        numbered=st.booleans(),
    ),
    st.builds(Suggestions, texts=st.lists(texts(1, 75), min_size=1, max_size=13).map(tuple)),
)
replies = st.builds(Reply, parts=st.lists(parts, max_size=6).map(tuple))
