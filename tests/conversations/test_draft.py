"""A draft shows each reader everything once, whenever it looks, within its bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.conversations.draft import Draft, Preview

PREVIEWS = st.lists(
    st.one_of(
        st.builds(lambda text: Preview(kind="delta", text=text), st.text(min_size=1, max_size=5)),
        st.builds(lambda text: Preview(kind="part", part={"type": "text", "text": text}), st.text(max_size=5)),
    ),
    max_size=20,
)


def flat(previews: list[Preview]) -> list[object]:
    """Return previews with every piece of text as single characters: what the reader ends up with."""
    return [
        item for piece in previews for item in (piece["text"] if piece["kind"] == "delta" else [piece["part"]["text"]])
    ]


@given(PREVIEWS, st.sets(st.integers(0, 20)))
def test_a_reader_gets_everything_once_wherever_it_looks(previews: list[Preview], looks: set[int]) -> None:
    """However often and whenever a reader looks, its pieces together are what was added, in order."""
    draft, position = Draft(1, 1_000_000), 0
    seen: list[Preview] = []
    for number, preview in enumerate(previews):
        draft.add(preview)
        if number in looks:
            pieces, position = draft.since(position)
            seen += pieces
    pieces, position = draft.since(position)
    seen += pieces

    assert flat(seen) == flat(previews)
    assert draft.since(position) == ([], position)


def test_a_reader_that_was_slow_gets_the_text_in_one_piece() -> None:
    draft = Draft(1, 1_000_000)
    for piece in ("Ne", "gro", "ni"):
        draft.add({"kind": "delta", "text": piece})

    assert draft.since(0)[0] == [{"kind": "delta", "text": "Negroni"}]


def test_typing_said_twice_is_typing() -> None:
    draft = Draft(1, 1_000_000)
    draft.add({"kind": "typing"})
    draft.add({"kind": "typing"})

    assert draft.since(0)[0] == [{"kind": "typing"}]


def test_a_full_draft_stops_and_never_has_holes() -> None:
    """What does not fit ends the draft: a smaller piece behind it must not slip in."""
    draft = Draft(1, 200)
    draft.add({"kind": "delta", "text": "a"})
    draft.add({"kind": "delta", "text": "b" * 500})
    draft.add({"kind": "delta", "text": "c"})

    assert draft.full
    assert draft.since(0)[0] == [{"kind": "delta", "text": "a"}]


def test_many_empty_pieces_are_bounded_too() -> None:
    draft = Draft(1, 6_400)
    for _ in range(10_000):
        draft.add({"kind": "delta", "text": ""})

    assert draft.full
    assert draft.since(0)[1] == 100
