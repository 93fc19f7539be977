-- The ledger: conversations, turns, users, dedupe keys, outbox, dead letters, and the processes that own lanes.
--
-- No foreign keys between the hot tables: each would cost a row lock and an index probe per turn, and every row is
-- written by the functions in store/ledger, which make the rows they point to in the same transaction.
-- fillfactor leaves room in the page, so that the frequent small updates stay on it (HOT) and touch no index.

CREATE TABLE processes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch       bigint NOT NULL DEFAULT 1,
    kind        text NOT NULL CHECK (kind IN ('gateway', 'worker')),
    label       text NOT NULL,
    -- NULL: ended in good order or declared dead.
    beat        timestamptz DEFAULT clock_timestamp(),
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

CREATE TABLE users (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel     text NOT NULL,
    account     text NOT NULL,
    key         text NOT NULL,
    name        text NOT NULL,
    locale      text NOT NULL,
    memory      jsonb,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (channel, account, key)
) WITH (fillfactor = 70);

CREATE TABLE conversations (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel       text NOT NULL,
    account       text NOT NULL,
    key           text NOT NULL,
    -- The lane has more work exactly when last_seq > done_seq, read under this row's lock.
    last_seq      bigint NOT NULL DEFAULT 0,
    done_seq      bigint NOT NULL DEFAULT 0,
    owner_process bigint,
    owner_epoch   bigint,
    fence         bigint NOT NULL DEFAULT 0,
    -- Work and no owner.  A column of its own, because an index over last_seq or the owner would end HOT updates.
    orphaned      boolean NOT NULL DEFAULT false,
    -- What the assistant keeps for the conversation.
    state         jsonb,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    active_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (channel, account, key)
) WITH (fillfactor = 50);

CREATE INDEX conversations_orphaned ON conversations (id) WHERE orphaned;

CREATE SEQUENCE turn_ids CACHE 1;

CREATE TABLE turns (
    id              bigint PRIMARY KEY DEFAULT nextval('turn_ids'),
    conversation_id bigint NOT NULL,
    seq             bigint NOT NULL,
    state           text NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'answered', 'failed')),
    user_id         bigint NOT NULL,
    surface         text NOT NULL,
    address         jsonb NOT NULL,
    message         jsonb NOT NULL,
    trace_id        text NOT NULL,
    -- The process that took the message in, and so may have a caller waiting.
    accepted_by     bigint NOT NULL,
    accepted_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- How many processes died while this turn was the running head of its lane.
    deaths          integer NOT NULL DEFAULT 0,
    -- The dead-lettered turn that this one repeats.
    retry_of        bigint,
    -- The fence under which it was settled: tells a settle that runs again that it is its own.
    settled_fence   bigint,
    settled_at      timestamptz,
    reply           jsonb,
    reason          text,
    detail          text,
    degraded        jsonb,
    UNIQUE (conversation_id, seq)
) WITH (fillfactor = 60);

-- Finds the lanes of a dead process; holds the turns at work now and nothing else.
CREATE INDEX turns_open ON turns (conversation_id) WHERE state = 'accepted';

-- A table of its own: a unique constraint on turns would forget once turns are partitioned by time.
CREATE TABLE dedupe_keys (
    key      text PRIMARY KEY,
    turn_id  bigint NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX dedupe_keys_seen_at ON dedupe_keys USING brin (seen_at);

CREATE TABLE outbox (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conversation_id bigint NOT NULL,
    turn_id         bigint,
    channel         text NOT NULL,
    account         text NOT NULL,
    trace_id        text NOT NULL DEFAULT '',
    -- response: meant for the HTTP response of its delivery; a push once it is due and nobody took it.
    kind            text NOT NULL CHECK (kind IN ('response', 'push')),
    state           text NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'not_sent', 'unknown')),
    payload         jsonb NOT NULL,
    due_at          timestamptz NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    -- The channel's policy: send again, marked, where the fate of a send is unknown.
    resend_unknown  boolean NOT NULL DEFAULT false,
    -- It may have reached the user before.
    maybe_repeat    boolean NOT NULL DEFAULT false,
    claimed_process bigint,
    claimed_epoch   bigint,
    platform_id     text,
    reason          text,
    detail          text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at     timestamptz
) WITH (fillfactor = 60);

CREATE INDEX outbox_open ON outbox (conversation_id, id) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 'pending';
CREATE INDEX outbox_turn ON outbox (turn_id);

CREATE TABLE dead_letters (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('delivery', 'turn', 'outbox')),
    channel         text NOT NULL,
    account         text NOT NULL,
    conversation_id bigint,
    turn_id         bigint,
    outbox_id       bigint,
    reason          text NOT NULL,
    detail          text NOT NULL DEFAULT '',
    -- Of a delivery: the bytes as they came, and the headers that say how to read them.
    body            bytea,
    content_type    text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- retried or dropped, by hand.
    closed_at       timestamptz,
    closed_as       text CHECK (closed_as IN ('retried', 'dropped'))
);

CREATE INDEX dead_letters_open ON dead_letters (id) WHERE closed_at IS NULL;
