DROP TABLE dead_letters, outbox, dedupe_keys, turns, conversations, users, processes;
DROP SEQUENCE turn_ids;
