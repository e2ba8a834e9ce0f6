-- The other tests use this: no worker interferes, and there are a few helpers.
SELECT extname, extversion <> '' AS has_a_version FROM pg_extension WHERE extname = 'checkout_sessions';

-- A session becomes expired only when a test says so.
ALTER SYSTEM SET checkout_sessions.worker_enabled = off;
SELECT pg_reload_conf();
SELECT pg_sleep(1);
\c -
SHOW checkout_sessions.worker_enabled;
SELECT state, launcher_pid IS NOT NULL AS has_a_launcher, pid, overdue, failures, last_error
FROM checkout.worker_status();

CREATE SCHEMA testing;
GRANT USAGE ON SCHEMA testing TO PUBLIC;

CREATE FUNCTION testing.masked(message text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(replace(message,
        '"json_object"', 'json_object'),
        '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', '<uuid>', 'g'),
        '\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d)?', '<time>', 'g'),
        'evt_[A-Za-z0-9_-]{60}', '<event>', 'g'),
        '[sp]k_(live|test)_[0-9A-Za-z]{12}', '<key id>', 'g')
$$;
COMMENT ON FUNCTION testing.masked IS 'A message without what differs from run to run, or from server to server.';

CREATE FUNCTION testing.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN testing.masked(concat_ws(' / ', SQLSTATE || ': ' || message,
        'DETAIL: ' || nullif(detail, ''), 'HINT: ' || nullif(hint, '')));
END
$$;
COMMENT ON FUNCTION testing.outcome IS 'What a statement says: accepted, or its SQLSTATE and message.';

CREATE FUNCTION testing.whole_error(statement text, VARIADIC arguments text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    a text; b text; c text; d text; e text; f text; g text; h text; i text;
BEGIN
    EXECUTE statement USING arguments;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS a = MESSAGE_TEXT, b = PG_EXCEPTION_DETAIL, c = PG_EXCEPTION_HINT, d = PG_EXCEPTION_CONTEXT,
        e = SCHEMA_NAME, f = TABLE_NAME, g = COLUMN_NAME, h = CONSTRAINT_NAME, i = PG_DATATYPE_NAME;
    RETURN concat_ws(' / ', SQLSTATE, a, nullif(b, ''), nullif(c, ''), nullif(d, ''), nullif(e, ''), nullif(f, ''),
        nullif(g, ''), nullif(h, ''), nullif(i, ''));
END
$$;
COMMENT ON FUNCTION testing.whole_error
    IS 'Every byte that a client gets of an error. The arguments are the elements of $1.';

CREATE FUNCTION testing.call(function text, arguments jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT * FROM checkout.%I(%s)', function, string_agg(format('%I => %L', key, value), ', '))
    FROM jsonb_each_text(arguments)
$$;
COMMENT ON FUNCTION testing.call IS 'A call with named arguments, each given as text.';

CREATE FUNCTION testing.creation(arguments jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT testing.outcome(testing.call('create_checkout_session',
        '{"amount": "10.00", "currency_code": "USD", "customer_id": "customer-1"}' || arguments))
$$;
COMMENT ON FUNCTION testing.creation IS 'What create says to a request that is valid but for these arguments.';

CREATE FUNCTION testing.bind(role name, organization_id uuid, environment text DEFAULT 'live') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER ROLE %I SET checkout_sessions.organization_id = %L', role, organization_id);
    EXECUTE format('ALTER ROLE %I SET checkout_sessions.environment = %L', role, environment);
END
$$;

CREATE FUNCTION testing.login(role name, organization_id uuid, environment text DEFAULT 'live') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE ROLE %I LOGIN', role);
    PERFORM testing.bind(role, organization_id, environment);
    PERFORM checkout.grant_access(role, 'secret');
END
$$;
COMMENT ON FUNCTION testing.login IS 'Makes a role that acts for an organization.';

-- Makes a session and its events older, by the time that a test needs.
CREATE FUNCTION testing.age(session uuid, by interval) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
    UPDATE checkout_data.checkout_sessions
    SET created_at = created_at - by, updated_at = updated_at - by, expires_at = expires_at - by,
        lease_expires_at = lease_expires_at - by
    WHERE checkout_session_id = session;
    UPDATE checkout_data.open_sessions
    SET deadline = deadline - by, expiring_notice_at = expiring_notice_at - by WHERE checkout_session_id = session;
    UPDATE checkout_data.payments SET lease_expires_at = lease_expires_at - by WHERE checkout_session_id = session;
$$;
COMMENT ON FUNCTION testing.age IS 'Lets time pass for a session.';

-- The usual story of many tests.
CREATE FUNCTION testing.new_session(amount numeric DEFAULT 50, retries integer DEFAULT NULL)
RETURNS uuid LANGUAGE sql AS $$
    SELECT checkout_session_id
    FROM checkout.create_checkout_session(amount, 'USD', customer_id => 'c', max_retry_attempts => retries)
$$;
CREATE FUNCTION testing.state(session uuid)
RETURNS TABLE (status text, payment_status text, payment_id text, attempts integer, completed boolean)
LANGUAGE sql AS $$ SELECT status, payment_status, payment_id, attempts, completed_at IS NOT NULL
FROM checkout.get_checkout_session(session) $$;
CREATE FUNCTION testing.story(session uuid) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', sequence, replace(event_type, 'checkout.session.', ''), payment_id),
        ', ' ORDER BY sequence)
    FROM checkout.list_webhook_events(session)
$$;

CREATE FUNCTION testing.key(organization uuid, kind text DEFAULT 'secret', environment text DEFAULT 'live')
RETURNS text LANGUAGE sql
    AS $$ SELECT api_key FROM checkout.create_api_key(organization, kind, environment) $$;

-- A subscription of a customer, paid for a month. The organization is left as it was.
CREATE FUNCTION testing.subscribe() RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    session checkout.checkout_session;
    organization CONSTANT uuid := checkout.current_organization_id();
BEGIN
    PERFORM checkout.create_product('Club', 'club');
    PERFORM checkout.create_price('club', 'USD', 9, price_id => 'monthly', interval_unit => 'month');
    PERFORM checkout.update_organization(organization, uses_catalog => true);
    session := checkout.create_checkout_session(price_id => 'monthly', customer_id => 'member');
    PERFORM checkout.update_organization(organization, uses_catalog => false);
    PERFORM checkout.record_payment(session.checkout_session_id, 'member-1', 'succeeded');
    RETURN session.subscription_id;
END
$$;

-- The last six characters of an API key: the CRC-32 of the others, in base 62, so that scanners can compute it.
CREATE FUNCTION testing.checksum(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    alphabet CONSTANT text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    crc bigint := x'ffffffff'::bigint;
    digits text := '';
BEGIN
    FOR at IN 0 .. length($1) - 1 LOOP
        crc := crc # get_byte($1::bytea, at);
        FOR bit IN 1 .. 8 LOOP
            crc := CASE WHEN crc & 1 = 1 THEN (crc >> 1) # x'edb88320'::bigint ELSE crc >> 1 END;
        END LOOP;
    END LOOP;
    crc := crc # x'ffffffff'::bigint;
    FOR digit IN 1 .. 6 LOOP
        digits := substr(alphabet, (crc % 62)::integer + 1, 1) || digits;
        crc := crc / 62;
    END LOOP;
    RETURN digits;
END $$;

-- A role that sends events
CREATE ROLE sender LOGIN;
SELECT checkout.grant_access('sender', 'relay');
-- A role that presents a credential in each transaction, or none
CREATE ROLE visitor LOGIN;
SELECT checkout.grant_access('visitor', 'request');

-- The state of deliveries, without values that differ between runs. Descriptions and amounts identify endpoints and
-- sessions.
CREATE VIEW testing.deliveries_of_all AS
SELECT d.organization_id, p.description AS endpoint, c.name AS consumer,
    coalesce(s.amount::text, replace(o.subject_type, 'webhook_', '')) AS about, d.sequence, o.event_type,
    CASE WHEN d.delivered_at IS NOT NULL THEN 'delivered' WHEN d.dead_at IS NOT NULL THEN 'dead'
        WHEN d.lease_token IS NOT NULL THEN 'leased' WHEN d.next_attempt_at <= clock_timestamp() THEN 'due'
        ELSE 'later' END AS state,
    d.attempts, d.attempts_ever, d.last_status_code, d.last_error
FROM checkout_data.webhook_deliveries d
LEFT JOIN checkout_data.webhook_endpoints p ON p.webhook_endpoint_id = d.receiver_id
LEFT JOIN checkout_data.webhook_consumers c ON c.webhook_consumer_id = d.receiver_id
LEFT JOIN checkout_data.webhook_outbox o
    ON o.organization_id = d.organization_id AND o.environment = d.environment AND o.subject_id = d.subject_id
    AND o.sequence = d.sequence
LEFT JOIN checkout_data.checkout_sessions s
    ON s.organization_id = d.organization_id AND s.environment = d.environment AND s.checkout_session_id = d.subject_id;
CREATE VIEW testing.webhooks AS
SELECT organization_id, endpoint, about, sequence, event_type, state, attempts, attempts_ever, last_status_code,
    last_error
FROM testing.deliveries_of_all WHERE endpoint IS NOT NULL
ORDER BY endpoint, CASE WHEN about ~ '^\d' THEN about::numeric END, sequence;
CREATE VIEW testing.consumed AS
SELECT organization_id, consumer, about, sequence, event_type, state, attempts, attempts_ever, last_error
FROM testing.deliveries_of_all WHERE consumer IS NOT NULL
ORDER BY consumer, CASE WHEN about ~ '^\d' THEN about::numeric END, sequence;
GRANT SELECT ON testing.webhooks, testing.consumed TO PUBLIC;
CREATE FUNCTION testing.deliveries_due(organization uuid) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
    UPDATE checkout_data.webhook_deliveries SET next_attempt_at = clock_timestamp()
    WHERE organization_id = organization AND next_attempt_at IS NOT NULL
$$;
COMMENT ON FUNCTION testing.deliveries_due IS 'Lets leases end, and the time pass until the next attempts.';
CREATE PROCEDURE testing.forget_receivers() LANGUAGE sql AS $$
    UPDATE checkout_data.webhook_endpoints SET deleted_at = clock_timestamp() WHERE deleted_at IS NULL;
    UPDATE checkout_data.webhook_consumers SET deleted_at = clock_timestamp() WHERE deleted_at IS NULL;
$$;
COMMENT ON PROCEDURE testing.forget_receivers IS 'For the tests that follow: claims are over all organizations.';

-- Requests in the dialects
CREATE FUNCTION testing.unkeyed(message text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(regexp_replace(testing.masked(message), 'cs_[0-9a-f]{32}', 'cs_<id>', 'g'),
        '[sp]k_(live|test)_[A-Za-z0-9]+', '<key>', 'g')
$$;
CREATE FUNCTION testing.bearer(api_key text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('authorization', 'Bearer ' || api_key)
$$;
CREATE FUNCTION testing.http(
    dialect text, method text, path text, headers jsonb DEFAULT '{}', body jsonb DEFAULT NULL, query jsonb DEFAULT '{}')
RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', r.status, nullif(r.headers - 'X-Request-Id', '{}'), testing.unkeyed(r.body::text))
    FROM checkout.handle_request(dialect, method, path, headers, query, body::text) AS r
$$;
COMMENT ON FUNCTION testing.http IS 'An answer on one line, without what differs from run to run.';
CREATE FUNCTION testing.raises(
    dialect text, method text, path text, headers text DEFAULT '{}', query text DEFAULT '{}', body text DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
    SELECT testing.outcome(
        format('SELECT * FROM checkout.handle_request(%L, %L, %L, %L, %L, %L)', dialect, method, path, headers, query,
            body))
$$;
COMMENT ON FUNCTION testing.raises IS 'The SQL error of a request, or that there is none.';
CREATE FUNCTION testing.row_counts() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    counts text := '';
    tables regclass;
    n bigint;
BEGIN
    FOR tables IN SELECT oid
        FROM pg_class WHERE relnamespace = 'checkout_data'::regnamespace AND relkind = 'r' ORDER BY relname LOOP
        EXECUTE format('SELECT count(*) FROM %s', tables) INTO n;
        counts := counts || tables || ' ' || n || E'\n';
    END LOOP;
    RETURN counts;
END
$$;
COMMENT ON FUNCTION testing.row_counts IS 'How many rows every table has, of all tenants.';
-- The smallest body that each dialect accepts, and its path
CREATE TABLE testing.creations (dialect text PRIMARY KEY, path text, body jsonb);
INSERT INTO testing.creations VALUES
    ('kobo', '/v1/checkout/session/initialize', '{"amount": 100, "email": "jane@example.com"}'),
    ('lomi', '/checkout-sessions', '{"amount": 1, "currency_code": "XOF", "customer_id": "c"}'),
    ('paygate', '/v1/checkout/sessions',
        '{"amount": 1, "success_url": "https://a.example/", "cancel_url": "https://a.example/"}'),
    ('flutterwave', '/checkout/sessions', '{"amount": 1, "currency": "NGN"}'),
    ('yuno', '/v1/checkout/sessions',
        '{"merchant_order_id": "1234", "country": "CO", "amount": {"currency": "COP", "value": 1}}');
GRANT SELECT ON testing.creations TO PUBLIC;
