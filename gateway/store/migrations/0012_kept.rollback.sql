DROP INDEX outbox_told;
ALTER TABLE outbox DROP COLUMN told_with;
ALTER TABLE outbox DROP COLUMN kept_until;
