DELETE FROM dead_letters WHERE kind = 'job';
ALTER TABLE dead_letters DROP CONSTRAINT dead_letters_kind_check;
ALTER TABLE dead_letters ADD CONSTRAINT dead_letters_kind_check CHECK (kind IN ('delivery', 'turn', 'outbox'));
ALTER TABLE dead_letters DROP COLUMN job_id;
ALTER TABLE processes DROP COLUMN draining;
DROP TABLE job_pauses, job_claims, jobs, job_partitions;
DROP SEQUENCE job_places;
