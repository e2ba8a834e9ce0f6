-- Every spec has this in its database: an organization for which every connection acts, and helpers to look at rows.

CREATE EXTENSION checkout_sessions;

SELECT checkout.create_organization('Shop', organization_id => '00000000-0000-4000-8000-000000000001');
SELECT format('ALTER DATABASE %I SET checkout_sessions.organization_id = %L', current_database(), o.organization_id)
FROM checkout_data.organizations o \gexec

-- The sessions that a spec has set up. Every session has its name as customer_id, also those that steps create.
CREATE TABLE session (name text PRIMARY KEY, id uuid NOT NULL);

-- An API key or a client secret that a spec has set up, for use by another connection. Both are random.
CREATE TABLE secret (value text NOT NULL);

-- A role that presents a credential in each transaction.
CREATE ROLE visitor;
SELECT checkout.grant_access('visitor', 'request');
GRANT SELECT ON session, secret TO visitor;

-- The owner of the functions that are hooks.
CREATE ROLE merchant;
SELECT checkout.grant_access('merchant', 'secret');

-- Everything stored. Ids and times differ from run to run and are left out. A session is swept if its row says open and
-- it is not among the open sessions; it is torn if its two rows contradict each other.
CREATE VIEW stored AS
SELECT s.customer_id AS name,
    CASE WHEN o.deadline IS NULL THEN CASE s.status WHEN 'open' THEN 'swept' ELSE s.status END
        WHEN (s.status, s.event_count, checkout_data.deadline(s), s.attempts > s.max_retry_attempts)
            = ('open', o.event_count, o.deadline, o.fails_at_deadline)
            THEN 'open' ELSE 'torn' END AS status,
    s.payment_status, s.payment_id, s.attempts,
    (SELECT string_agg(concat_ws(' ', p.payment_id, p.status, p.rejection_reason), ', ' ORDER BY p.payment_id)
     FROM checkout_data.payments p WHERE p.checkout_session_id = s.checkout_session_id) AS payments,
    s.event_count,
    (SELECT string_agg(concat_ws(' ', o.sequence, replace(o.event_type, 'checkout.session.', ''),
                o.snapshot #>> '{payment,payment_id}'),
            ', ' ORDER BY o.sequence)
     FROM checkout_data.webhook_outbox o WHERE o.subject_id = s.checkout_session_id) AS events
FROM checkout_data.checkout_sessions s
LEFT JOIN checkout_data.open_sessions o USING (organization_id, environment, checkout_session_id)
ORDER BY s.customer_id, s.created_at;

-- Shows where events went: to endpoints, named by their descriptions, and to consumers.
CREATE VIEW sent AS
SELECT s.customer_id AS name, o.sequence, replace(o.event_type, 'checkout.session.', '') AS event,
    COALESCE(p.description, c.name, CASE WHEN d.sequence IS NOT NULL THEN 'no receiver' END, 'nobody') AS goes_to,
    CASE WHEN d.delivered_at IS NOT NULL THEN 'delivered' WHEN d.dead_at IS NOT NULL THEN 'dead'
        WHEN d.lease_token IS NOT NULL THEN 'leased'
        -- The claims decide whether it is put off for that long.
        WHEN EXISTS (
            SELECT FROM checkout_data.webhook_deliveries e
            WHERE e.receiver_id = d.receiver_id AND e.subject_id = d.subject_id
                AND e.sequence < d.sequence AND e.next_attempt_at IS NOT NULL) THEN 'waits'
        WHEN d.next_attempt_at <= clock_timestamp() THEN 'due'
        WHEN d.next_attempt_at IS NOT NULL THEN 'later' END AS state,
    d.attempts, d.attempts_ever AS ever, COALESCE(p.deleted_at, c.deleted_at) IS NOT NULL AS deleted
FROM checkout_data.webhook_outbox o
LEFT JOIN checkout_data.checkout_sessions s
    ON s.organization_id = o.organization_id AND s.environment = o.environment AND s.checkout_session_id = o.subject_id
LEFT JOIN checkout_data.webhook_deliveries d
    ON d.organization_id = o.organization_id AND d.environment = o.environment AND d.subject_id = o.subject_id
    AND d.sequence = o.sequence
LEFT JOIN checkout_data.webhook_endpoints p ON p.webhook_endpoint_id = d.receiver_id
LEFT JOIN checkout_data.webhook_consumers c ON c.webhook_consumer_id = d.receiver_id
ORDER BY 1, 2, 4;

-- What is counted for the funnel.
CREATE VIEW counted AS
SELECT sum(c.created) AS counted, sum(c.payment_begun) AS payment_begun,
    (SELECT count(*) FROM checkout_data.uncounted_hours) AS uncounted
FROM checkout_data.session_counts c WHERE c.dimension = 'none' AND c.unit = '1 hour';

-- The endpoint of this name.
CREATE FUNCTION endpoint(name text) RETURNS uuid LANGUAGE sql STABLE
    AS $$ SELECT webhook_endpoint_id FROM checkout_data.webhook_endpoints WHERE description = name $$;

-- Records an attempt. Returns the new state of the delivery, or why it is refused: messages have ids in them.
CREATE FUNCTION attempt(event_id text, webhook_endpoint_id uuid, lease_token uuid, status_code integer)
RETURNS text LANGUAGE plpgsql
    AS $$
    BEGIN
        RETURN (checkout.record_webhook_attempt(event_id, webhook_endpoint_id, lease_token, status_code)).status;
    EXCEPTION WHEN SQLSTATE 'PT404' OR SQLSTATE 'PT409' THEN
        RETURN SQLSTATE;
    END
    $$;

-- Deletes an endpoint, or returns why that is refused.
CREATE FUNCTION delete_idle(id uuid) RETURNS text LANGUAGE plpgsql
    AS $$
    BEGIN
        RETURN 'deleted ' || (checkout.delete_webhook_endpoint(id)).description;
    EXCEPTION WHEN SQLSTATE 'PT409' THEN
        RETURN SQLSTATE;
    END
    $$;

-- Makes the deadline of a session pass without the wait; its lease continues.
CREATE PROCEDURE let_deadline_pass(name text) LANGUAGE sql
    AS $$
    WITH session AS (
        UPDATE checkout_data.checkout_sessions s
        SET created_at = s.created_at - interval '2 days', expires_at = s.created_at - interval '1 minute'
        WHERE s.customer_id = let_deadline_pass.name
        RETURNING s.checkout_session_id, checkout_data.deadline(s) AS deadline)
    UPDATE checkout_data.open_sessions o SET deadline = s.deadline
    FROM session s WHERE o.checkout_session_id = s.checkout_session_id;
    UPDATE checkout_data.holds h SET deadline = o.deadline
    FROM checkout_data.open_sessions o WHERE o.checkout_session_id = h.checkout_session_id;
    $$;

-- A product of which there are so many units, for 10 EUR each.
CREATE PROCEDURE stock_up(product_id text, on_hand integer) LANGUAGE sql
    AS $$
    UPDATE checkout_data.organizations SET uses_catalog = true;
    SELECT checkout.create_product('Tea', product_id, on_hand => stock_up.on_hand);
    SELECT checkout.create_price(product_id, 'EUR', 10);
    $$;

-- Creates a session for a unit of the product, or returns why that is refused.
CREATE FUNCTION buy(name text, product_id text DEFAULT 'tea', expires_in interval DEFAULT '1 hour') RETURNS text
    LANGUAGE plpgsql
    AS $$
    BEGIN
        RETURN (checkout.create_checkout_session(product_id => buy.product_id, customer_id => buy.name,
            expires_in => buy.expires_in)).status;
    EXCEPTION WHEN SQLSTATE 'PT409' THEN
        RETURN SQLERRM;
    END
    $$;

-- What is there, and who holds or has bought it.
CREATE VIEW stock AS
SELECT i.product_id, i.on_hand, i.held, (
    SELECT string_agg(concat_ws(' ', s.customer_id, h.state, h.quantity), ', ' ORDER BY s.customer_id)
    FROM checkout_data.holds h JOIN checkout_data.checkout_sessions s USING (checkout_session_id)
    WHERE h.kind = 'product' AND h.item_id = i.product_id) AS holds
FROM checkout_data.inventory i
ORDER BY i.product_id;

-- Waits until the lease of a payment, the deadline of a session, or the lease of every claimed event has ended.
CREATE PROCEDURE wait_for(what text) LANGUAGE plpgsql
    AS $$
    BEGIN
        PERFORM pg_sleep_until(interval '20 ms' + CASE what
            WHEN 'payment lease' THEN (SELECT max(s.lease_expires_at) FROM checkout_data.checkout_sessions s)
            WHEN 'deadline' THEN (SELECT min(s.expires_at) FROM checkout_data.checkout_sessions s)
            WHEN 'event leases' THEN (
                SELECT max(d.next_attempt_at) FROM checkout_data.webhook_deliveries d WHERE d.lease_token IS NOT NULL)
        END);
    END
    $$;

-- For teardown.
CREATE PROCEDURE clear() LANGUAGE sql
    AS $$
    TRUNCATE session, secret, checkout_data.api_keys, checkout_data.checkout_sessions, checkout_data.open_sessions,
        checkout_data.idempotency_keys, checkout_data.payments, checkout_data.refunds, checkout_data.webhook_outbox,
        checkout_data.webhook_endpoints, checkout_data.webhook_consumers, checkout_data.webhook_deliveries,
        checkout_data.webhook_attempts, checkout_data.products, checkout_data.prices, checkout_data.inventory,
        checkout_data.inventory_changes, checkout_data.coupons, checkout_data.holds, checkout_data.session_lines,
        checkout_data.session_terms, checkout_data.session_visits, checkout_data.subscriptions,
            checkout_data.session_periods,
        checkout_data.hooks, checkout_data.hook_failures, checkout_data.admin_log, checkout_data.session_counts,
        checkout_data.session_folds, checkout_data.uncounted_hours, checkout_data.request_failures,
        checkout_data.request_alerts;
    UPDATE checkout_data.organizations SET reference_policy = 'none', uses_catalog = false;
    $$;
