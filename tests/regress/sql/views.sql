-- The views show what the functions return, for queries of any kind.
SELECT checkout.create_organization('Views A') AS a, checkout.create_organization('Views B') AS b \gset
SELECT testing.login('views_a', :'a');
SELECT testing.login('views_b', :'b');

-- Their columns are those of the types. Left out are secrets, and what is about one call; keys of events are added.
CREATE VIEW testing.shown AS
SELECT * FROM (VALUES ('checkout_sessions', 'checkout_session'), ('open_checkout_sessions', 'checkout_session'),
    ('payments', 'payment'), ('refunds', 'refund'), ('webhook_events', 'webhook_event'),
    ('webhook_deliveries', 'webhook_delivery'), ('webhook_attempts', 'webhook_attempt'),
    ('webhook_endpoints', 'webhook_endpoint'), ('products', 'product'), ('inventory', 'product'), ('prices', 'price'),
    ('coupons', 'coupon'), ('session_lines', 'session_line')) AS shown (view, type);
-- No function returns what these have.
SELECT c.relname AS view_of_no_type FROM pg_class c
WHERE c.relnamespace = 'checkout'::regnamespace AND c.relkind = 'v'
    AND c.relname NOT IN (SELECT view FROM testing.shown) ORDER BY 1;
CREATE FUNCTION testing.columns(relation text) RETURNS TABLE (n integer, name name, type text, comment text)
LANGUAGE sql AS $$
    SELECT attnum, attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)
    FROM pg_attribute WHERE attrelid = relation::regclass AND attnum > 0 AND NOT attisdropped
$$;
SELECT view, string_agg(t.name, ' ' ORDER BY t.n) FILTER (WHERE v.name IS NULL) AS left_out,
    string_agg(v.name, ' ' ORDER BY v.n) FILTER (WHERE t.name IS NULL) AS added,
    string_agg(v.name, ' ' ORDER BY v.n) FILTER (WHERE v.type <> t.type OR v.comment <> t.comment) AS different
FROM testing.shown, LATERAL (
    SELECT t.*, v.* FROM testing.columns('checkout.' || type) AS t FULL JOIN testing.columns('checkout.' || view) AS v
        ON v.name = t.name) AS c (n, name, type, comment, vn, vname, vtype, vcomment),
    LATERAL (SELECT c.n, c.name, c.type, c.comment) AS t,
    LATERAL (SELECT c.vn, c.vname, c.vtype, c.vcomment) AS v (n, name, type, comment)
GROUP BY view ORDER BY view;
SELECT c.relname AS without_a_comment FROM pg_class c
WHERE c.relnamespace = 'checkout'::regnamespace AND c.relkind = 'v' AND obj_description(c.oid, 'pg_class') IS NULL;

-- Sessions of every kind, for A; B has one of its own.
\c - views_b
SELECT count(*) FROM checkout.create_checkout_session(1, 'USD', customer_id => 'canary', metadata => '{"of": "b"}');
\c - views_a
SELECT webhook_endpoint_id AS endpoint FROM checkout.create_webhook_endpoint('https://shop.example/a') \gset
SELECT name FROM checkout.create_webhook_consumer('jobs');
SELECT testing.new_session(1) AS open, testing.new_session(2) AS expired, testing.new_session(3) AS complete,
    testing.new_session(4, 0) AS failed, testing.new_session(5) AS overdue, testing.new_session(6) AS held,
    testing.new_session(7) AS lapsed, testing.new_session(8, 0) AS failing, testing.new_session(9, 0) AS lost \gset
SELECT status FROM checkout.expire_checkout_session(:'expired');
SELECT status FROM checkout.record_payment(:'complete', 'views-1', 'succeeded', payment_method => 'payid');
SELECT status FROM checkout.record_refund('views-1', 'refund-1', 1, reason => 'sorry');
SELECT status FROM checkout.record_refund('views-1', 'refund-2', 1, 'pending');
SELECT status FROM checkout.record_payment(:'failed', 'views-2', 'failed', failure_code => 'declined');
SELECT status FROM checkout.record_payment(:'expired', 'views-3', 'succeeded');
-- Held past its deadline by a payment; open again, because the payment's lease is over; failed at the end of a lease,
-- before and after that
SELECT a.status, b.status FROM checkout.begin_payment(:'held', 'views-4') AS a,
    checkout.begin_payment(:'lapsed', 'views-5', lease => '1 s') AS b;
SELECT p.status FROM unnest(ARRAY[:'failing', :'lost']::uuid[]) AS id, checkout.begin_payment(id, 'hold-' || id) AS p;
SELECT p.status FROM unnest(ARRAY[:'failing', :'lost']::uuid[]) AS id,
    checkout.record_payment(id, 'miss-' || id, 'failed') AS p;
\c - postgres
SELECT testing.age(:'overdue', '2 days'), testing.age(:'lost', '2 days'), testing.age(:'lapsed', '2 s');
UPDATE checkout_data.checkout_sessions SET created_at = created_at - interval '2 days',
    expires_at = clock_timestamp() - interval '1 s'
WHERE checkout_session_id = :'held';
UPDATE checkout_data.open_sessions o SET deadline = s.lease_expires_at FROM checkout_data.checkout_sessions s
WHERE o.checkout_session_id = :'held' AND s.checkout_session_id = :'held';
\c - views_a
SELECT s.amount, s.status, s.payment_status, s.updated_at = s.expires_at AS updated_at_deadline, g.status AS of_function
FROM checkout.checkout_sessions s, checkout.get_checkout_session(s.checkout_session_id) AS g ORDER BY s.amount;
-- Every column has what the function returns.
SELECT amount AS differs, s AS view, g AS function
FROM (SELECT s.amount, to_jsonb(s) AS s, to_jsonb(g) - '{url,client_secret,idempotent_replay}'::text[] AS g
    FROM checkout.checkout_sessions s, checkout.get_checkout_session(s.checkout_session_id) AS g) AS both_sides
WHERE s <> g;
SELECT amount FROM checkout.open_checkout_sessions ORDER BY amount;
SELECT count(*) AS differ FROM (
    SELECT to_jsonb(s) FROM checkout.checkout_sessions s WHERE status = 'open'
    EXCEPT SELECT to_jsonb(o) FROM checkout.open_checkout_sessions o) AS d;

-- The others, too: the views have the rows of the lists, and no more.
\c - postgres
SELECT event_id AS sent, lease_token AS lease FROM checkout.claim_webhook_deliveries(1)
WHERE webhook_endpoint_id = :'endpoint' \gset
SELECT status FROM checkout.record_webhook_attempt(:'sent', :'endpoint', :'lease', 503, 'busy', '0.2 s', 'later');
\c - views_a
CREATE TEMPORARY TABLE lists AS
SELECT 'payments' AS view, to_jsonb(r) - '{idempotent_replay}'::text[] AS row FROM checkout.list_payments() AS r
UNION ALL SELECT 'refunds', to_jsonb(r) - '{idempotent_replay}'::text[] FROM checkout.list_refunds('views-1') AS r
UNION ALL SELECT 'webhook_events', to_jsonb(r) - '{delivery_attempts,lease_token,body}'::text[]
    FROM checkout.list_webhook_events(page_size => 100) AS r
UNION ALL SELECT 'webhook_deliveries', to_jsonb(r)
    FROM checkout.list_webhook_deliveries(:'endpoint', page_size => 100) AS r
UNION ALL SELECT 'webhook_attempts', to_jsonb(r) FROM checkout.list_webhook_attempts(:'sent') AS r
UNION ALL SELECT 'webhook_endpoints', to_jsonb(r) - '{secret}'::text[] FROM checkout.list_webhook_endpoints() AS r;
CREATE TEMPORARY TABLE views AS
SELECT 'payments' AS view, to_jsonb(r) AS row FROM checkout.payments AS r
UNION ALL SELECT 'refunds', to_jsonb(r) FROM checkout.refunds AS r
UNION ALL SELECT 'webhook_events', to_jsonb(r) FROM checkout.webhook_events AS r
UNION ALL SELECT 'webhook_deliveries', to_jsonb(r) - '{subject_id,sequence}'::text[]
    FROM checkout.webhook_deliveries AS r WHERE consumer IS NULL
UNION ALL SELECT 'webhook_attempts', to_jsonb(r) - '{organization_id,environment,subject_id,sequence}'::text[]
    FROM checkout.webhook_attempts AS r
UNION ALL SELECT 'webhook_endpoints', to_jsonb(r) FROM checkout.webhook_endpoints AS r;
SELECT view, count(*) AS rows, count(*) FILTER (WHERE row IN (SELECT row FROM lists)) AS in_list,
    (SELECT count(*) FROM lists l WHERE l.view = v.view) AS listed
FROM views v GROUP BY view ORDER BY view;
SELECT consumer, status, count(*) FROM checkout.webhook_deliveries WHERE consumer IS NOT NULL GROUP BY 1, 2;

-- Conditions, orders and counts are about all sessions, not about a page.
SELECT count(testing.new_session(100 + n)) FROM generate_series(1, 250) AS n;
SELECT count(*) AS all, count(*) FILTER (WHERE amount > 100) AS large FROM checkout.checkout_sessions;
SELECT amount FROM checkout.checkout_sessions ORDER BY amount LIMIT 1;
SELECT count(*) FROM (SELECT FROM checkout.checkout_sessions LIMIT 200) AS page;
SELECT amount FROM checkout.checkout_sessions ORDER BY checkout_session_id OFFSET 40 LIMIT 2;
SELECT checkout_session_id = :'complete' AS found FROM checkout.checkout_sessions WHERE status = 'complete';
SELECT p.payment_id FROM checkout.checkout_sessions s JOIN checkout.payments p USING (checkout_session_id)
WHERE s.status = 'failed' AND p.status = 'failed' AND p.failure_code = 'declined';
SELECT count(*) FROM checkout.checkout_sessions WHERE metadata ->> 'of' = 'b' OR customer_id LIKE 'can%';

-- The application's own tables are joined; rows of a view lead to those that belong to them.
CREATE TEMPORARY TABLE orders AS SELECT :'complete'::uuid AS session, 'order 7' AS name
    UNION ALL SELECT NULL, 'order 8';
SELECT name, s.status, s.amount FROM orders LEFT JOIN checkout.checkout_sessions s ON s.checkout_session_id = session
ORDER BY name;
SELECT s.amount, p.payment_id, p.status, r.refund_id, back.checkout_session_id = s.checkout_session_id AS back,
    up.payment_id = p.payment_id AS up
FROM checkout.checkout_sessions s, checkout.payments(s) AS p LEFT JOIN LATERAL checkout.refunds(p) AS r ON true
LEFT JOIN LATERAL checkout.payment(r) AS up ON true, checkout.checkout_session(p) AS back
WHERE s.amount <= 3 ORDER BY 1, 2, 4;
SELECT s.amount, e.event_type, e.status, d.webhook_endpoint_id = :'endpoint' AS to_endpoint, d.consumer, a.error
FROM checkout.checkout_sessions s, checkout.webhook_events(s) AS e, checkout.webhook_deliveries(e) AS d
LEFT JOIN LATERAL checkout.webhook_attempts(d) AS a ON true
WHERE s.status IN ('complete', 'failed') ORDER BY s.amount, e.sequence, d.consumer;

-- Reading is all that they need.
BEGIN READ ONLY;
SELECT count(*) FROM checkout.checkout_sessions WHERE status = 'open' AND amount > 10;
COMMIT;

-- An index finds the rows.
\c - postgres
ANALYZE checkout_data.checkout_sessions, checkout_data.open_sessions, checkout_data.payments;
\c - views_a
CREATE FUNCTION pg_temp.plan(query text) RETURNS TABLE (index text, condition text) LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN QUERY SELECT node ->> 'Index Name',
        replace(replace(translate(node ->> 'Index Cond', '()', ''), '::text', ''),
        'organization_id = checkout.current_organization_id AND environment = checkout.current_environment', 'tenant')
    FROM jsonb_path_query(plan, 'strict $.**?(@."Index Name" != null)') AS node;
END $$;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT query, p.* FROM (VALUES
    (1, 'checkout_sessions WHERE checkout_session_id = ''018f0000-0000-7000-8000-00000000000a'''),
    (2, 'checkout_sessions ORDER BY checkout_session_id DESC LIMIT 20'),
    (3, 'checkout_sessions ORDER BY created_at DESC LIMIT 20'),
    (4, 'checkout_sessions WHERE created_at >= ''2030-01-01'' ORDER BY created_at'),
    (5, 'checkout_sessions WHERE customer_email = ''jane@example.com'' ORDER BY checkout_session_id DESC LIMIT 20'),
    (6, 'checkout_sessions WHERE reference = ''order-7'''),
    (7, 'checkout_sessions WHERE status = ''open'' ORDER BY checkout_session_id DESC LIMIT 20'),
    (8, 'payments ORDER BY created_at DESC LIMIT 20'),
    (9, 'inventory_changes WHERE product_id = ''mug'' ORDER BY created_at'),
    (10, 'products WHERE product_id = ''mug''')) AS queries (n, query),
    LATERAL pg_temp.plan('SELECT * FROM checkout.' || query) AS p ORDER BY n, index;
RESET ALL;

-- A condition that tells what it is given is given nothing of others: neither a function that costs nothing nor an
-- operator, nor one of a join. The planner would call it before any condition that costs more.
\c - postgres
SELECT count(*) AS there FROM checkout_data.checkout_sessions WHERE metadata ? 'of' AND customer_id = 'canary';
\c - views_a
CREATE FUNCTION pg_temp.tell(what text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    IF what ~ 'canary' THEN RAISE WARNING 'leaked: %', what; END IF;
    RETURN true;
END $$;
CREATE FUNCTION pg_temp.tell(what jsonb, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    IF what ? 'of' THEN RAISE WARNING 'leaked: %', what; END IF;
    RETURN true;
END $$;
CREATE OPERATOR pg_temp.<~> (FUNCTION = pg_temp.tell, LEFTARG = jsonb, RIGHTARG = text);
SELECT count(*) FROM checkout.checkout_sessions WHERE pg_temp.tell(customer_id) AND amount > 10;
SELECT count(*) FROM checkout.checkout_sessions WHERE 1 / (metadata ->> 'of' IS DISTINCT FROM 'b')::integer = 1;
SELECT count(*) FROM checkout.checkout_sessions s JOIN checkout.payments p
    ON pg_temp.tell(s.customer_id || p.payment_id);
SELECT count(*) FROM checkout.checkout_sessions WHERE metadata OPERATOR(pg_temp.<~>) '' AND amount > 10;

-- What is taken away with an access is the right to read. Another access that includes it keeps it.
\c - postgres
CREATE ROLE views_role LOGIN;
SELECT checkout.grant_access('views_role', 'secret'), checkout.grant_access('views_role', 'request');
CREATE VIEW testing.view_rights AS SELECT count(*) FILTER (
        WHERE has_table_privilege('views_role', c.oid, 'SELECT')) AS readable, count(*) FILTER (
        WHERE has_table_privilege('views_role', c.oid, 'INSERT, UPDATE, DELETE')) AS writable, count(*) AS views,
    has_function_privilege('views_role', 'checkout_data.reader_organization_id()', 'EXECUTE') AS gate
FROM pg_class c WHERE c.relnamespace = 'checkout'::regnamespace AND c.relkind = 'v';
TABLE testing.view_rights;
SELECT checkout.revoke_access('views_role', 'secret');
TABLE testing.view_rights;
SELECT checkout.revoke_access('views_role', 'request');
TABLE testing.view_rights;
SELECT checkout.grant_access('views_role', access)
FROM unnest('{publishable,relay,admin,authenticator}'::text[]) AS access;
TABLE testing.view_rights;
DROP VIEW testing.view_rights;
DROP VIEW testing.shown;
CALL testing.forget_receivers();
