SELECT array_agg(message_id) AS ids, sum(length(message::text)) AS bytes FROM bench.read(100) \gset
SELECT bench.archive(:ids);
