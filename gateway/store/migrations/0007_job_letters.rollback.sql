DROP INDEX dead_letters_outbox;
DROP INDEX dead_letters_job;
