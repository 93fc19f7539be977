-- outbox_tell: takes what is kept for the conversations of these turns, to be told in their responses now.
--
-- A kept row is a response that its own delivery did not carry: pending, without a carrier, and nobody else's to take.
-- It is told with a turn behind its own alone: a message may be pushed between a turn's end and its response, and would be
-- told before the answer that it follows (a timer of no seconds before the word that it is set).
-- It is taken in the order of its conversation, at most rows_max for a turn, and by one response at a time; outbox_finish
-- then ends it, or makes it pending again.  What was told with a turn before is told again with its repeats, and is
-- nobody's to end then (taken: false).  Expired rows are left to outbox_mend.
CREATE OR REPLACE FUNCTION outbox_tell(me bigint, my_epoch bigint, with_turns bigint[], rows_max integer)
RETURNS TABLE (
    with_turn bigint, id bigint, turn bigint, state text, reply jsonb, unasked boolean, maybe_repeat boolean,
    taken boolean
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    it     bigint;
    lane   bigint;
    behind bigint;
    boxes  bigint[];
BEGIN
    PERFORM 1 FROM processes p WHERE p.id = me AND p.epoch = my_epoch AND p.beat IS NOT NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    FOREACH it IN ARRAY with_turns LOOP
        SELECT t.conversation_id, t.seq INTO lane, behind FROM turns t WHERE t.id = it;
        boxes := ARRAY(
            -- Found before they are put in order, and || '', for the reasons in outbox_claim_responses.  SKIP LOCKED:
            -- another response of the same conversation is taking them at this moment.
            SELECT w.id FROM outbox w
            WHERE w.id = ANY (ARRAY(
                SELECT o.id FROM outbox o
                WHERE o.conversation_id = lane AND o.state IN ('pending', 'sending') OFFSET 0
            )) AND w.state || '' = 'pending' AND w.kept_until > clock_timestamp()
              -- By their numbers: ids are drawn before the lock of the conversation, and need not be in its order.
              AND (SELECT t.seq FROM turns t WHERE t.id = w.turn_id) < behind
              -- Until then its own caller may take it (outbox_claim_responses), if that one's process lives.
              AND (w.due_at <= clock_timestamp() OR NOT EXISTS (
                  SELECT 1 FROM turns t JOIN processes p ON p.id = t.accepted_by
                  WHERE t.id = w.turn_id AND p.beat IS NOT NULL
              ))
            ORDER BY w.id LIMIT rows_max FOR UPDATE SKIP LOCKED
        );
        UPDATE outbox AS o SET
            state = 'sending', attempts = o.attempts + 1, claimed_process = me, claimed_epoch = my_epoch, told_with = it
        WHERE o.id = ANY (boxes);
        RETURN QUERY
        SELECT it, o.id, o.turn_id, t.state, t.reply, t.message ->> 'name' IS NOT DISTINCT FROM 'pushed'
                   AND t.message ->> 'kind' = 'event',
               o.maybe_repeat, o.id = ANY (boxes)
        FROM (
            SELECT b.id FROM unnest(boxes) AS b(id)
            UNION
            SELECT r.id FROM outbox r WHERE r.told_with = it AND r.state IN ('sending', 'sent')
        ) AS told
        CROSS JOIN LATERAL (SELECT * FROM outbox WHERE id = told.id OFFSET 0) AS o
        CROSS JOIN LATERAL (SELECT * FROM turns WHERE id = o.turn_id OFFSET 0) AS t
        ORDER BY o.id;
    END LOOP;
END $$;
