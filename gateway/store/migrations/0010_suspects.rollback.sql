ALTER TABLE jobs DROP COLUMN suspect_fence;
