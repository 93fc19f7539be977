-- A job that was in the hands of processes that died is a suspect; which one was about to run is written before it runs.

-- The fence of its partition under which it was last about to be run as a suspect, until that run is settled.
ALTER TABLE jobs ADD COLUMN suspect_fence bigint;
