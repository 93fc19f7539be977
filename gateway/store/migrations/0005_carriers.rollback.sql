DROP INDEX jobs_buried_unique;
DELETE FROM jobs WHERE kind = 'reply.send';
