-- The layout that the sweep is compared with: one table, in whose rows an expiry is written. Its columns, constraints and
-- indexes are those that checkout_sessions had before open sessions got a table of their own.
\set ON_ERROR_STOP on
SET client_min_messages TO warning;

CREATE TABLE bench.one_table (
    LIKE checkout_data.checkout_sessions INCLUDING DEFAULTS,
    deadline timestamptz NOT NULL GENERATED ALWAYS AS (GREATEST(expires_at, lease_expires_at)) STORED,
    expiring_notice_at timestamptz,
    PRIMARY KEY (organization_id, environment, checkout_session_id),
    CHECK (expires_at > created_at),
    CHECK ((status = 'complete') = (payment_status = 'paid') AND (status = 'complete') = (payment_id IS NOT NULL)
        AND (status = 'complete') = (completed_at IS NOT NULL)),
    CHECK ((payment_status = 'processing') = (lease_expires_at IS NOT NULL) AND (status = 'open' OR lease_expires_at IS NULL))
);
CREATE INDEX ON bench.one_table (deadline) WHERE status = 'open';
CREATE INDEX ON bench.one_table (expiring_notice_at) WHERE expiring_notice_at IS NOT NULL AND status = 'open';
CREATE INDEX ON bench.one_table (organization_id, environment, checkout_session_id) WHERE status = 'open';
CREATE INDEX ON bench.one_table (organization_id, environment, customer_email, checkout_session_id)
    WHERE customer_email IS NOT NULL;
CREATE INDEX ON bench.one_table (organization_id, environment, customer_id, checkout_session_id) WHERE customer_id IS NOT NULL;
CREATE INDEX ON bench.one_table (organization_id, environment, reference, checkout_session_id) WHERE reference IS NOT NULL;
CREATE INDEX ON bench.one_table (organization_id, environment, created_by)
    WHERE created_with = 'publishable' AND status = 'open';
CREATE UNIQUE INDEX ON bench.one_table (organization_id, environment, reference) WHERE reference_policy = 'unique';
CREATE UNIQUE INDEX ON bench.one_table (organization_id, environment, reference)
    WHERE reference_policy = 'open' AND status = 'open';
ALTER TABLE bench.one_table ENABLE ROW LEVEL SECURITY;
CREATE POLICY every_tenant ON bench.one_table TO checkout_sessions_worker USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON bench.one_table TO checkout_sessions_worker;

-- The same sessions that are due in checkout_sessions.
CREATE PROCEDURE bench.make_due_in_one_table() LANGUAGE sql AS $$
    TRUNCATE bench.one_table;
    INSERT INTO bench.one_table (organization_id, environment, checkout_session_id, amount, currency_code, created_at,
        updated_at, expires_at, max_retry_attempts, created_by, title, customer_email, success_url, cancel_url, payment_methods,
        metadata)
    SELECT s.organization_id, s.environment, s.checkout_session_id, s.amount, s.currency_code, s.created_at, s.updated_at,
        s.expires_at, s.max_retry_attempts, s.created_by, s.title, s.customer_email, s.success_url, s.cancel_url,
        s.payment_methods, s.metadata
    FROM checkout_data.checkout_sessions s JOIN checkout_data.organizations o USING (organization_id) WHERE o.name = 'Due';
$$;
