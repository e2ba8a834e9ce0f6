-- Before the first ANALYZE, too, a row is found by its key: as after a restore, or a load of many rows.
\set VERBOSITY terse
CREATE DATABASE unanalyzed;
\c unanalyzed postgres
SET enable_seqscan = off;
SET enable_bitmapscan = off;
CREATE EXTENSION checkout_sessions;
CREATE FUNCTION index_used(query text) RETURNS text LANGUAGE plpgsql
    AS $$
    DECLARE
        plan json;
    BEGIN
        EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
        RETURN plan #>> '{0,Plan,Index Name}';
    END
    $$;
SELECT c.relname AS table, index_used(format('SELECT FROM %s WHERE %s', c.oid::regclass,
    (SELECT string_agg(format('%I = %L::%s', a.attname,
        CASE WHEN t.typbasetype = 0 AND t.typname = 'uuid' THEN gen_random_uuid()::text
            WHEN t.typname = 'environment' THEN 'live' WHEN t.typcategory = 'N' THEN '1'
            WHEN t.typcategory = 'D' THEN '2026-01-01 00:00+00'
            ELSE 'key' END, format_type(a.atttypid, NULL)), ' AND ' ORDER BY k.ordinality)
     FROM unnest(k.conkey) WITH ORDINALITY AS k (attnum, ordinality)
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum JOIN pg_type t ON t.oid = a.atttypid)))
FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
WHERE c.relnamespace = 'checkout_data'::regnamespace
ORDER BY 1;
\c postgres postgres
DROP DATABASE unanalyzed;
