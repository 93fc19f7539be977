ALTER TABLE dead_letters DROP COLUMN closed_by;
DROP TABLE api_tokens;
