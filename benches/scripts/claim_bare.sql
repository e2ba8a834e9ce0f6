-- The smallest possible queue: no archive.
WITH claimed AS (
    UPDATE bench.queue q SET visible_at = clock_timestamp() + '1 minute', read_count = q.read_count + 1
    WHERE q.ctid = ANY (ARRAY(
        SELECT ctid FROM bench.queue WHERE visible_at <= clock_timestamp()
        ORDER BY visible_at LIMIT 100 FOR UPDATE SKIP LOCKED))
    RETURNING q.*)
SELECT array_agg(message_id) AS ids, sum(length(message::text)) AS bytes FROM claimed \gset
DELETE FROM bench.queue WHERE message_id = ANY (:ids);
