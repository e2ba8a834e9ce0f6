-- Refused calls: counted by minutes, and the event when there are many.

CREATE TABLE checkout_data.request_failures (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    minute timestamptz NOT NULL CHECK (date_bin('1 minute', minute, '2000-01-01 00:00:00+00') = minute),
    function_name checkout_data.object_name NOT NULL,
    sqlstate text COLLATE "C" NOT NULL CHECK (sqlstate ~ '^[0-9A-Z]{5}$'),
    failure_count bigint NOT NULL CHECK (failure_count > 0),
    last_message text CHECK (octet_length(last_message) BETWEEN 1 AND 200),
    last_failed_at timestamptz NOT NULL CHECK (last_failed_at >= minute)
);
COMMENT ON TABLE checkout_data.request_failures IS 'How many calls of functions were refused, by minutes. The worker writes it.';
-- Serves the removal of old counts.
CREATE INDEX request_failures_minute_idx ON checkout_data.request_failures (minute);
ALTER TABLE checkout_data.request_failures ADD CONSTRAINT request_failures_pkey
    PRIMARY KEY (organization_id, environment, minute, function_name, sqlstate);

CREATE TABLE checkout_data.request_alerts (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    event_count checkout_data.positive NOT NULL,
    alerted_at timestamptz NOT NULL
);
COMMENT ON TABLE checkout_data.request_alerts IS
    'The organizations that were told of refused calls: how often, and when last.';
ALTER TABLE checkout_data.request_alerts ADD CONSTRAINT request_alerts_pkey
    PRIMARY KEY (organization_id, environment);

-- for readers of an organization ----------------------------------------------------------------------------------

-- The setting exists only if the library was preloaded.
CREATE VIEW checkout.request_failures AS
    SELECT f.organization_id, f.environment::pg_catalog.text AS environment, f.minute,
        f.function_name::pg_catalog.text AS function_name, f.sqlstate, f.failure_count, f.last_message, f.last_failed_at
    FROM checkout_data.request_failures f
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL
    UNION ALL
    SELECT checkout_data.reader_organization_id(), checkout.current_environment(),
        pg_catalog.date_trunc('minute', pg_catalog.statement_timestamp()), NULL, NULL, NULL,
        'Nothing is counted: checkout_sessions is not in shared_preload_libraries.', NULL
    WHERE pg_catalog.current_setting('checkout_sessions.worker_database', true) IS NULL;
COMMENT ON VIEW checkout.request_failures IS
    'How many calls of the caller''s organization were refused in the last 7 days, by minutes. The worker writes them '
    'within about 10 seconds. If the library is not preloaded, nothing is counted, and a row without a count says so.';
COMMENT ON COLUMN checkout.request_failures.minute IS 'The begin of the minute.';
COMMENT ON COLUMN checkout.request_failures.function_name IS 'The function that was called.';
COMMENT ON COLUMN checkout.request_failures.sqlstate IS 'The SQLSTATE that the caller got: see docs/errors.md.';
COMMENT ON COLUMN checkout.request_failures.failure_count IS 'How many calls were refused.';
COMMENT ON COLUMN checkout.request_failures.last_message IS
    'The last message, with … for each value in it. NULL: the message of the server could repeat a value.';
