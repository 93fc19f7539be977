DROP INDEX dead_letters_delivery, dead_letters_turn, conversations_gone, users_gone, turns_user;
ALTER TABLE conversations DROP COLUMN gone_at;
ALTER TABLE users DROP COLUMN gone_at;
DROP TABLE job_schedules;
