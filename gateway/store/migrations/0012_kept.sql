-- Answers that came too late on a channel that cannot send by itself are kept for their conversation's next turn.

-- Until when such a row may be told; NULL: it is sent like any other.
ALTER TABLE outbox ADD COLUMN kept_until timestamptz;
-- The turn in whose response it was told, and is told again if that turn's delivery is repeated.
ALTER TABLE outbox ADD COLUMN told_with bigint;

CREATE INDEX outbox_told ON outbox (told_with) WHERE told_with IS NOT NULL;
