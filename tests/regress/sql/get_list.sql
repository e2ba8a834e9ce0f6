-- Getting and listing: states by the clock, pages in both directions, filters in any combination.
SELECT checkout.create_organization('Lists') AS organization \gset
SELECT checkout.create_organization('Lists of another') AS other \gset
SELECT testing.login('shop_lists', :'organization');
SELECT testing.login('shop_lists_test', :'organization', 'test');
SELECT testing.login('shop_lists_other', :'other');
\c - shop_lists_other
SELECT checkout_session_id AS foreign FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c') \gset
\c - shop_lists_test
SELECT checkout_session_id AS test FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c') \gset
\c - shop_lists

-- Twelve sessions: a to l
CREATE TEMP TABLE made AS
SELECT chr(96 + n) AS name, s.checkout_session_id AS id
FROM generate_series(1, 12) AS n, LATERAL checkout.create_checkout_session(n, 'USD', title => chr(96 + n),
    customer_id => CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END,
        customer_email => CASE WHEN n % 3 = 0 THEN 'third@example.com' END,
    reference => CASE WHEN n > 8 THEN 'late' END) AS s;
CREATE FUNCTION pg_temp.id(name text) RETURNS uuid LANGUAGE sql AS 'SELECT id FROM made WHERE made.name = $1';
-- a: paid; b: failed; c: expired; d: overdue; e: its lease has ended, open; f: held open by a lease
SELECT status FROM checkout.record_payment(pg_temp.id('a'), 'pay-a', 'succeeded');
SELECT count(p)
FROM (SELECT checkout.record_payment(pg_temp.id('b'), 'pay-b' || n, 'failed') AS p FROM generate_series(1, 4) AS n)
    AS failures;
SELECT status FROM checkout.expire_checkout_session(pg_temp.id('c'));
SELECT testing.age(pg_temp.id('d'), '61 minutes');
SELECT status FROM checkout.begin_payment(pg_temp.id('e'), 'pay-e', lease => '1 minute');
SELECT testing.age(pg_temp.id('e'), '2 minutes');
SELECT status FROM checkout.begin_payment(pg_temp.id('f'), 'pay-f', lease => '15 minutes');
\c - postgres
UPDATE checkout_data.checkout_sessions SET created_at = created_at - interval '2 hours',
    expires_at = now() - interval '1 minute'
WHERE title = 'f' AND organization_id = :'organization';
UPDATE checkout_data.open_sessions o SET deadline = checkout_data.deadline(s)
FROM checkout_data.checkout_sessions s
WHERE s.checkout_session_id = o.checkout_session_id AND s.title = 'f' AND s.organization_id = :'organization';
SELECT title, status, payment_status
FROM checkout_data.checkout_sessions
WHERE organization_id = :'organization' AND environment = 'live' AND title IN ('d', 'e', 'f') ORDER BY title;
\c - shop_lists
CREATE TEMP TABLE made AS SELECT title AS name, checkout_session_id AS id FROM checkout.list_checkout_sessions();
CREATE FUNCTION pg_temp.id(name text) RETURNS uuid LANGUAGE sql AS 'SELECT id FROM made WHERE made.name = $1';
CREATE FUNCTION pg_temp.listed(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    names text;
BEGIN
    EXECUTE format('SELECT string_agg(title, '''') FROM (SELECT title FROM checkout.list_checkout_sessions(%s)) AS l',
        arguments) INTO names;
    RETURN names;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;

-- All of them, newest first, with their states by the clock
SELECT title, status, payment_status, payment_id, attempts, updated_at = expires_at AS updated_at_deadline
FROM checkout.list_checkout_sessions();
-- (A list has no client secrets.)
SELECT bool_and(to_jsonb(l) - 'client_secret' = to_jsonb(g) - 'client_secret') AS get_and_list_agree,
    count(l.client_secret) AS secrets_in_the_list, count(g.client_secret) AS secrets, count(*)
FROM checkout.list_checkout_sessions() AS l, LATERAL checkout.get_checkout_session(l.checkout_session_id) AS g;

-- Filters, alone and together
\a
SELECT arguments, pg_temp.listed(arguments) FROM unnest(ARRAY[
    '', 'NULL', 'status => NULL',
    'status => ''open''', 'status => ''complete''', 'status => ''failed''', 'status => ''expired''',
    'customer_id => ''odd''', 'customer_id => ''nobody''', 'customer_email => ''third@example.com''',
    'customer_email => ''THIRD@example.com''',
    'reference => ''late''', 'payment_id => ''pay-a''', 'payment_id => ''pay-b3''', 'payment_id => ''pay-e''',
    'payment_id => ''pay''',
    'status => ''open'', customer_id => ''odd''',
    'status => ''expired'', customer_id => ''even''',
    'status => ''open'', customer_id => ''even'', customer_email => ''third@example.com''',
    'customer_id => ''even'', reference => ''late'', page_size => 1',
    'status => ''open'', reference => ''late'', customer_id => ''odd'', customer_email => ''third@example.com''',
    'status => ''complete'', payment_id => ''pay-a'', customer_id => ''odd''',
    'status => ''open'', payment_id => ''pay-a''']) AS arguments;

-- Periods: from the first bound to before the second
SELECT 'created_after ' || name AS period, pg_temp.listed(format('created_after => %L', created_at)) AS listed,
    pg_temp.listed(format('created_before => %L', created_at)) AS before,
    pg_temp.listed(
        format('created_after => %L, created_before => %L', created_at, created_at + interval '1 microsecond')) AS at_it
FROM (VALUES ('i'), ('l'), ('a')) AS names (name), LATERAL checkout.get_checkout_session(pg_temp.id(name));
SELECT arguments, pg_temp.listed(arguments) FROM unnest(ARRAY[
    'created_after => ''1969-07-20''', 'created_after => ''4713-01-01 BC''', 'created_before => ''1969-07-20''',
    'created_after => ''2999-01-01''', 'created_before => ''2999-01-01''', 'created_before => ''9999-12-31''',
    'created_before => ''10900-01-01''', 'created_after => ''10900-01-01''', 'created_before => ''20000-01-01''',
    'created_after => ''20000-01-01''', 'created_before => ''262142-12-31 23:59:59.999999+00''',
    'created_after => ''2020-01-01'', created_before => ''2020-01-01''']) AS arguments;

-- Pages: forwards and backwards through all sessions, and with a filter
SELECT page, pg_temp.listed(page) FROM (VALUES
    ('page_size => 5'),
    (format('page_size => 5, starting_after => %L', pg_temp.id('h'))),
    (format('page_size => 5, starting_after => %L', pg_temp.id('c'))),
    (format('page_size => 5, starting_after => %L', pg_temp.id('a'))),
    (format('page_size => 5, ending_before => %L', pg_temp.id('a'))),
    (format('page_size => 5, ending_before => %L', pg_temp.id('f'))),
    (format('page_size => 5, ending_before => %L', pg_temp.id('l'))),
    (format('customer_id => ''odd'', page_size => 2, starting_after => %L', pg_temp.id('j'))),
    (format('customer_id => ''odd'', status => ''open'', page_size => 2, ending_before => %L', pg_temp.id('f'))),
    ('page_size => 5, page_offset => 5'), ('page_size => 5, page_offset => 10'), ('page_size => 5, page_offset => 12'),
    ('page_size => 1, page_offset => 2147483647'), ('status => ''open'', page_size => 2, page_offset => 1'),
    ('page_size => NULL, page_offset => NULL'), ('page_size => 1'), ('page_size => 100')
) AS pages (page) \g | sed -E 's/[0-9a-f-]{36}/<uuid>/'
-- The default is 20, the maximum 100.
SELECT count(s) AS made
FROM (SELECT checkout.create_checkout_session(n, 'USD', customer_id => 'many') AS s FROM generate_series(1, 110) AS n)
    AS many;
SELECT (SELECT count(*) FROM checkout.list_checkout_sessions()) AS by_default;
SELECT (SELECT count(*) FROM checkout.list_checkout_sessions(page_size => 100)) AS most;
-- A reader that follows the cursor while others create sessions gets every session once.
WITH RECURSIVE pages AS (
    SELECT 1 AS page, array_agg(l.checkout_session_id ORDER BY l.checkout_session_id DESC) AS ids
    FROM checkout.list_checkout_sessions(page_size => 7) AS l
    UNION ALL
    SELECT page + 1, next.ids
    FROM pages, LATERAL (SELECT array_agg(l.checkout_session_id ORDER BY l.checkout_session_id DESC) AS ids
        FROM checkout.list_checkout_sessions(page_size => 7, starting_after => pages.ids[array_length(pages.ids, 1)])
            AS l) AS next
    WHERE cardinality(pages.ids) = 7
)
SELECT max(page) AS pages, count(id) AS sessions, count(DISTINCT id) AS distinct_sessions FROM pages, unnest(ids) AS id;

-- These are refused.
SELECT arguments, testing.outcome(format('SELECT * FROM checkout.list_checkout_sessions(%s)', arguments))
FROM unnest(ARRAY[
    'status => ''paid''', 'status => ''''', 'status => ''OPEN''', 'page_size => 0', 'page_size => -1',
    'page_size => 101', 'page_offset => -1',
    'created_after => ''2025-01-02'', created_before => ''2025-01-01''', 'created_after => ''infinity''',
    'created_before => ''-infinity''',
    format('starting_after => %L, ending_before => %L', pg_temp.id('a'), pg_temp.id('b')),
    format('starting_after => %L, page_offset => 1', pg_temp.id('a')), 'starting_after => ''not an id'''])
        AS arguments \g | sed -E 's/[0-9a-f-]{36}/<uuid>/g'
-- A cursor of another organization or environment, or of no session, gets the same answer.
SELECT testing.outcome(format('SELECT * FROM checkout.list_checkout_sessions(starting_after => %L)', id))
    AS starting_after,
    testing.outcome(format('SELECT * FROM checkout.list_checkout_sessions(ending_before => %L)', id)) AS ending_before,
    testing.outcome(format('SELECT checkout.get_checkout_session(%L)', id)) AS get
FROM (VALUES (:'foreign'::uuid), (:'test'), ('01890000-0000-7000-8000-000000000000'),
    ('00000000-0000-0000-0000-000000000000')) AS ids (id);
SELECT testing.outcome('SELECT checkout.get_checkout_session(NULL)');
SELECT checkout.get_checkout_session('01890000-0000-7000-8000-000000000000');
\echo :LAST_ERROR_SQLSTATE

-- Both functions work in a READ ONLY transaction, also with kept plans and in parallel mode.
BEGIN READ ONLY;
SELECT status FROM checkout.get_checkout_session(pg_temp.id('d'));
SELECT count(*) FROM checkout.list_checkout_sessions(status => 'expired');
COMMIT;
-- Called debug_parallel_query from Postgres 16 on.
SELECT name AS parallel FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \gset
SELECT set_config(:'parallel', 'regress', false);
SELECT status FROM checkout.get_checkout_session(pg_temp.id('d'));
SELECT count(*) FROM checkout.list_checkout_sessions(status => 'expired', page_size => 100);
SELECT set_config(:'parallel', 'off', false);
SELECT proname, provolatile
FROM pg_proc
WHERE pronamespace = 'checkout'::regnamespace
    AND proname IN ('get_checkout_session', 'list_checkout_sessions', 'list_payments', 'list_webhook_events')
ORDER BY 1;

-- A session that becomes overdue within a transaction is expired at once: the clock decides, not the start of the
-- transaction.
BEGIN;
SELECT checkout_session_id AS short
FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c', expires_in => '1 second') \gset
SELECT status FROM checkout.get_checkout_session(:'short');
SELECT pg_sleep(1.05);
SELECT status FROM checkout.get_checkout_session(:'short');
SELECT count(*)
FROM checkout.list_checkout_sessions(status => 'open', customer_id => 'c') WHERE checkout_session_id = :'short';
COMMIT;
