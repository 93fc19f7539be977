-- When schedules tick next; and what it takes to forget: whose turns are whose, and what has become of dead letters.

CREATE TABLE job_schedules (
    name      text PRIMARY KEY,
    -- The cron expression and the time zone that next_at was worked out of.
    timing    text NOT NULL,
    next_at   timestamptz NOT NULL,
    -- The last tick, for operators.
    ticked_at timestamptz
) WITH (fillfactor = 50);

CREATE INDEX turns_user ON turns (user_id, id);

-- Not to be found by its key any more.  The row itself goes later, when nobody can be holding its id.
ALTER TABLE users ADD COLUMN gone_at timestamptz;
ALTER TABLE conversations ADD COLUMN gone_at timestamptz;
CREATE INDEX users_gone ON users (gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX conversations_gone ON conversations (gone_at) WHERE gone_at IS NOT NULL;

CREATE INDEX dead_letters_turn ON dead_letters (turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX dead_letters_delivery ON dead_letters (channel, account, id) WHERE kind = 'delivery';
