-- What became of a job is asked by its id, among all that was ever given up.

CREATE INDEX dead_letters_job ON dead_letters (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX dead_letters_outbox ON dead_letters (outbox_id) WHERE outbox_id IS NOT NULL;
