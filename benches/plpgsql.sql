-- The implementation without the library, for comparison: the same functions on the same tables in PL/pgSQL, as good as
-- possible. They have the same arguments, checks, rights (a definer without rights of its own, under row-level
-- security) and answers.
\set ON_ERROR_STOP on
SET client_min_messages TO warning;

CREATE FUNCTION bench.create_checkout_session(
    amount numeric DEFAULT NULL, currency_code text DEFAULT NULL, title text DEFAULT NULL, description text DEFAULT NULL,
    reference text DEFAULT NULL, customer_id text DEFAULT NULL, customer_email text DEFAULT NULL,
    customer_name text DEFAULT NULL, customer_phone text DEFAULT NULL, product_id text DEFAULT NULL, price_id text DEFAULT NULL,
    subscription_id text DEFAULT NULL, payment_link_id text DEFAULT NULL, quantity integer DEFAULT 1,
    allow_quantity boolean DEFAULT false, allow_coupon_code boolean DEFAULT false,
    require_billing_address boolean DEFAULT false, is_spi boolean DEFAULT false, is_pos boolean DEFAULT false,
    country text DEFAULT NULL, success_url text DEFAULT NULL, cancel_url text DEFAULT NULL,
    payment_methods text[] DEFAULT NULL, max_retry_attempts integer DEFAULT NULL, metadata jsonb DEFAULT '{}',
    expires_at timestamptz DEFAULT NULL, expires_in interval DEFAULT NULL
) RETURNS checkout.checkout_session
    LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
    AS $$
    #variable_conflict use_variable
    DECLARE
        tenant CONSTANT uuid := checkout.current_organization_id();
        now CONSTANT timestamptz := clock_timestamp();
        digits integer;
        deadline timestamptz;
        o checkout_data.organizations;
        answer checkout.checkout_session;
    BEGIN
        SELECT * INTO o FROM checkout_data.organizations t WHERE t.organization_id = tenant;
        IF NOT FOUND THEN
            RAISE invalid_authorization_specification USING MESSAGE = 'no such organization';
        END IF;
        IF amount IS NULL OR currency_code IS NULL THEN
            RAISE null_value_not_allowed USING MESSAGE = 'arguments "amount" and "currency_code" must not be null';
        END IF;
        IF currency_code !~ '^[A-Z]{3}$' THEN
            RAISE invalid_parameter_value USING MESSAGE = 'argument "currency_code" is not an ISO 4217 code';
        END IF;
        -- A search in a table of all currencies would take longer.
        digits := CASE
            WHEN currency_code IN ('BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF',
                'XOF', 'XPF') THEN 0
            WHEN currency_code IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3
            ELSE 2 END;
        IF NOT (amount > 0 AND amount < 1000000000000000)
            OR trim_scale(amount) <> round(amount, CASE WHEN o.sub_minor_amounts THEN 4 ELSE digits END)
        THEN
            RAISE invalid_parameter_value USING MESSAGE = 'argument "amount" is out of range or too fine';
        END IF;
        IF customer_id IS NULL AND customer_email IS NULL THEN
            RAISE invalid_parameter_value USING MESSAGE = 'Either customer_id or customer_email is required';
        END IF;
        IF customer_email !~ '^[^[:space:]@]+@[^[:space:]@]+$' OR length(customer_email) > 255 THEN
            RAISE invalid_parameter_value USING MESSAGE = 'argument "customer_email" is not a valid email address';
        END IF;
        IF success_url !~ '^https?://[^[:space:]/]' OR cancel_url !~ '^https?://[^[:space:]/]'
            OR length(success_url) > 2048 OR length(cancel_url) > 2048
        THEN
            RAISE invalid_parameter_value USING MESSAGE = 'a URL must be an http or https URL';
        END IF;
        IF length(title) NOT BETWEEN 1 AND 255 OR length(description) NOT BETWEEN 1 AND 5000
            OR length(reference) NOT BETWEEN 1 AND 255 OR length(customer_id) NOT BETWEEN 1 AND 255
            OR length(customer_name) NOT BETWEEN 1 AND 255 OR length(product_id) NOT BETWEEN 1 AND 255
            OR length(price_id) NOT BETWEEN 1 AND 255 OR length(subscription_id) NOT BETWEEN 1 AND 255
            OR length(payment_link_id) NOT BETWEEN 1 AND 255 OR customer_phone !~ '^\+?[-0-9 ()./]{3,50}$'
            OR country !~ '^[A-Z]{2}$' OR quantity < 1 OR max_retry_attempts NOT BETWEEN 0 AND 10
            OR jsonb_typeof(metadata) <> 'object' OR pg_column_size(metadata) > 32768
        THEN
            RAISE invalid_parameter_value USING MESSAGE = 'an argument is out of range';
        END IF;
        deadline := COALESCE(expires_at, now + COALESCE(expires_in, o.default_lifetime));
        IF deadline NOT BETWEEN now + o.minimum_lifetime AND now + o.maximum_lifetime THEN
            RAISE invalid_parameter_value USING MESSAGE = 'argument "expires_in" is out of range';
        END IF;
        INSERT INTO checkout_data.checkout_sessions AS s (organization_id, environment, checkout_session_id, amount,
            currency_code, created_at, updated_at, expires_at, max_retry_attempts, quantity,
            allow_quantity, allow_coupon_code, require_billing_address, is_spi, is_pos, reference, created_by, title,
            description, product_id, price_id, subscription_id, payment_link_id, country, customer_id, customer_email,
            customer_name, customer_phone, success_url, cancel_url, payment_methods, metadata)
        VALUES (tenant, checkout.current_environment(),
            -- bench.uuidv7(), written out.
            encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM now) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1),
                'hex')::uuid,
            round(amount, digits), currency_code, now, now, deadline,
            COALESCE(max_retry_attempts, o.max_retry_attempts), quantity, allow_quantity, allow_coupon_code,
            require_billing_address, is_spi, is_pos, reference, session_user, title, description, product_id, price_id,
            subscription_id, payment_link_id, country, customer_id, customer_email, customer_name, customer_phone,
            success_url, cancel_url, COALESCE(payment_methods, o.payment_methods), metadata)
        RETURNING s.checkout_session_id, s.organization_id, s.environment, s.amount, s.currency_code, s.status,
            s.payment_status, s.payment_id, s.attempts, s.max_retry_attempts, s.title, s.description, s.reference,
            s.customer_id, s.customer_email, s.customer_name, s.customer_phone, s.product_id, s.price_id, s.subscription_id,
            s.payment_link_id, s.quantity, s.allow_quantity, s.allow_coupon_code, s.require_billing_address, s.is_spi,
            s.is_pos, s.country, s.success_url, s.cancel_url, NULL, NULL, s.payment_methods, s.metadata, s.recovered_from,
            s.expires_at, s.completed_at, s.created_at, s.created_by, s.created_with, s.trace_id, s.updated_at, false
        INTO answer;
        INSERT INTO checkout_data.open_sessions (organization_id, environment, checkout_session_id, deadline,
            expiring_notice_at)
        VALUES (tenant, answer.environment, answer.checkout_session_id, deadline, deadline - o.expiring_notice);
        RETURN answer;
    END
    $$;

CREATE FUNCTION bench.get_checkout_session(checkout_session_id uuid) RETURNS checkout.checkout_session
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
    AS $$
    #variable_conflict use_variable
    DECLARE
        tenant CONSTANT uuid := checkout.current_organization_id();
        tenant_environment CONSTANT text := checkout.current_environment();
        now CONSTANT timestamptz := clock_timestamp();
        answer checkout.checkout_session;
    BEGIN
        SELECT (checkout_data.session_at(s, now, false, NULL, NULL)).* INTO answer
        FROM checkout_data.checkout_sessions s
        WHERE s.organization_id = tenant AND s.environment = tenant_environment
            AND s.checkout_session_id = get_checkout_session.checkout_session_id;
        IF NOT FOUND THEN
            RAISE no_data_found USING MESSAGE = 'checkout session not found';
        END IF;
        RETURN answer;
    END
    $$;

-- The two measured ways through the list. With every filter it would need EXECUTE, and be slower. The plan is kept:
-- left to itself, the planner takes a parameter of LIMIT for a tenth of the table, and plans anew in every call.
CREATE FUNCTION bench.list_checkout_sessions(page_size integer DEFAULT 20, starting_after uuid DEFAULT NULL)
    RETURNS SETOF checkout.checkout_session
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp SET plan_cache_mode TO force_generic_plan SET jit TO off
    AS $$
    DECLARE
        tenant CONSTANT uuid := checkout.current_organization_id();
        tenant_environment CONSTANT text := checkout.current_environment();
        now CONSTANT timestamptz := clock_timestamp();
    BEGIN
        IF page_size NOT BETWEEN 1 AND 100 THEN
            RAISE invalid_parameter_value USING MESSAGE = 'argument "page_size" must be between 1 and 100';
        END IF;
        IF starting_after IS NULL THEN
            RETURN QUERY SELECT (checkout_data.session_at(s, now, false, NULL, NULL)).* FROM checkout_data.checkout_sessions s
                WHERE s.organization_id = tenant AND s.environment = tenant_environment
                ORDER BY s.checkout_session_id DESC LIMIT page_size;
            RETURN;
        END IF;
        PERFORM FROM checkout_data.checkout_sessions s
        WHERE s.organization_id = tenant AND s.environment = tenant_environment AND s.checkout_session_id = starting_after;
        IF NOT FOUND THEN
            RAISE invalid_parameter_value USING MESSAGE = 'argument "starting_after" is no checkout session';
        END IF;
        RETURN QUERY SELECT (checkout_data.session_at(s, now, false, NULL, NULL)).* FROM checkout_data.checkout_sessions s
            WHERE s.organization_id = tenant AND s.environment = tenant_environment AND s.checkout_session_id < starting_after
            ORDER BY s.checkout_session_id DESC LIMIT page_size;
    END
    $$;

CREATE FUNCTION bench.expire_due_checkout_sessions(batch integer DEFAULT 1000) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
    AS $$
    DECLARE
        at CONSTANT timestamptz := clock_timestamp();
        expired integer;
    BEGIN
        WITH due AS (
            SELECT d.organization_id, d.environment, d.checkout_session_id FROM checkout_data.open_sessions d
            WHERE d.deadline <= at ORDER BY d.deadline LIMIT batch FOR UPDATE SKIP LOCKED),
        expired AS (
            DELETE FROM checkout_data.open_sessions s USING due d
            WHERE s.organization_id = d.organization_id AND s.environment = d.environment
                AND s.checkout_session_id = d.checkout_session_id
            RETURNING s.organization_id, s.environment, s.checkout_session_id, s.event_count + 1 AS event_count)
        INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence,
            event_type, created_at)
        SELECT e.organization_id, e.environment, 'checkout_session', e.checkout_session_id, e.event_count,
            'checkout.session.expired', at
        FROM expired e;
        GET DIAGNOSTICS expired = ROW_COUNT;
        RETURN expired;
    END
    $$;

ALTER FUNCTION bench.create_checkout_session OWNER TO checkout_sessions_api;
ALTER FUNCTION bench.get_checkout_session OWNER TO checkout_sessions_api;
ALTER FUNCTION bench.list_checkout_sessions OWNER TO checkout_sessions_api;
ALTER FUNCTION bench.expire_due_checkout_sessions OWNER TO checkout_sessions_worker;

-- A queue like pgmq's, with read and archive: a message is stored when it is sent, and moved when it is done.
CREATE TABLE bench.queue (
    message_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    read_count integer NOT NULL DEFAULT 0,
    enqueued_at timestamptz NOT NULL DEFAULT now(),
    visible_at timestamptz NOT NULL DEFAULT now(),
    message jsonb NOT NULL
);
CREATE INDEX ON bench.queue (visible_at);
CREATE TABLE bench.archive (LIKE bench.queue INCLUDING ALL, archived_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON bench.archive (archived_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON bench.queue, bench.archive TO bench_worker;

CREATE FUNCTION bench.read(quantity integer) RETURNS SETOF bench.queue LANGUAGE plpgsql AS $$
    BEGIN
        RETURN QUERY WITH due AS (
            SELECT q.message_id FROM bench.queue q WHERE q.visible_at <= clock_timestamp()
            ORDER BY q.message_id LIMIT quantity FOR UPDATE SKIP LOCKED)
        UPDATE bench.queue q SET visible_at = clock_timestamp() + '1 minute', read_count = q.read_count + 1
        FROM due d WHERE q.message_id = d.message_id RETURNING q.*;
    END
    $$;

CREATE FUNCTION bench.archive(ids bigint[]) RETURNS integer LANGUAGE plpgsql AS $$
    DECLARE
        archived integer;
    BEGIN
        WITH done AS (DELETE FROM bench.queue q WHERE q.message_id = ANY (ids) RETURNING q.*)
        INSERT INTO bench.archive (message_id, read_count, enqueued_at, visible_at, message)
        OVERRIDING SYSTEM VALUE SELECT * FROM done;
        GET DIAGNOSTICS archived = ROW_COUNT;
        RETURN archived;
    END
    $$;
