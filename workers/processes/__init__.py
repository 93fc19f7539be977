"""``switchboard worker``: the parent of worker processes, each of them a ``python -m workers``.

    starts its children ─▶ starts again what ended ─▶ says in the ledger, at once, who is dead ─▶ stops them all

- A child that ends is *known* to be dead: what it owned is free as soon as the ledger is told, and nobody waits for its
  beat to look old.
- Children that end again and again end their parent, with a status that is not 0: whoever started it must know.
- No child outlives its parent, however that ends.
- One thread starts children, because the kernel's promise to end them is bound to the thread that did.  Another one
  talks to the ledger, because a signal must be heeded while PostgreSQL is silent.  This process is never patched.

``parent.py`` is the loop; ``child.py`` one child; ``told.py`` what signals say; ``obituaries.py`` the ledger.
Not here: whether a child that runs does anything.  Other processes judge that by its beat.
"""
