"""Laws that the ledger's rows keep at every step, watched by triggers of the test's own.

A check at the end sees the last state; a turn that was settled twice may look settled once.  What breaks a law is
noted in a table, in the transaction that broke it.
"""

from __future__ import annotations

from typing import Any

from tests.support.ledger_view import LedgerView

__all__ = ["broken_laws", "watch"]

#: law, table, what breaks it
_LAWS = (
    ("a turn ends once", "turns", "OLD.state <> 'accepted' AND OLD.* IS DISTINCT FROM NEW.*"),
    ("a reply's send ends once", "outbox", "OLD.finished_at IS NOT NULL AND OLD.* IS DISTINCT FROM NEW.*"),
    (
        "turns end one by one, in order",
        "conversations",
        (
            "NEW.done_seq NOT IN (OLD.done_seq, OLD.done_seq + 1) OR NEW.last_seq < OLD.last_seq"
            " OR NEW.done_seq > NEW.last_seq"
        ),
    ),
    (
        "a new owner has a higher fence",
        "conversations",
        (
            "NEW.fence < OLD.fence OR (NEW.fence = OLD.fence AND NEW.owner_process IS NOT NULL AND"
            " (NEW.owner_process, NEW.owner_epoch) IS DISTINCT FROM (OLD.owner_process, OLD.owner_epoch))"
        ),
    ),
)


def watch(ledger: LedgerView) -> None:
    """Begin to watch."""
    ledger.rows("CREATE TABLE broken_laws (law text, was jsonb, became jsonb)")
    ledger.rows(
        "CREATE FUNCTION note_broken_law() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO broken_laws VALUES (TG_ARGV[0], to_jsonb(OLD), to_jsonb(NEW)); RETURN NULL; END $$"
    )
    for number, (law, table, broken) in enumerate(_LAWS):
        ledger.rows(
            f"CREATE TRIGGER law_{number} AFTER UPDATE ON {table} FOR EACH ROW WHEN ({broken})"
            f" EXECUTE FUNCTION note_broken_law('{law.replace(chr(39), chr(39) * 2)}')"
        )


def broken_laws(ledger: LedgerView) -> list[dict[str, Any]]:
    """Return each change that broke a law."""
    return ledger.rows("SELECT * FROM broken_laws")
