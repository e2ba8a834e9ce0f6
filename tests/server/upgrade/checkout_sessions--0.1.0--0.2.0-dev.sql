-- An example for the tests, and a model for the scripts of sql/upgrade: refunds know who has approved them.

-- The library is replaced before the schema is upgraded. A server that was not restarted has the old one in memory.
DO $$
BEGIN
    IF pg_catalog.string_to_array(pg_catalog.split_part(checkout_data.library_version(), '-', 1), '.')::pg_catalog.int4[]
        OPERATOR(pg_catalog.<) '{0,1,0}' THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = pg_catalog.format('the library of checkout_sessions is still of version %s',
                checkout_data.library_version()),
            HINT = 'Restart the server, and run ALTER EXTENSION checkout_sessions UPDATE again.';
    END IF;
END
$$;

-- The tables that change are locked first, all or none: whoever works with two of them in another order does not
-- deadlock. Nobody waits behind this for longer than the timeout.
DO $$
BEGIN
    FOR attempt IN 1..50 LOOP
        BEGIN
            PERFORM pg_catalog.set_config('lock_timeout', '100ms', true);
            LOCK TABLE checkout_data.organizations, checkout_data.refunds IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF attempt OPERATOR(pg_catalog.=) 50 THEN
                RAISE lock_not_available USING MESSAGE = 'the tables of checkout_sessions are in use',
                    HINT = 'End the transactions that take long, and run ALTER EXTENSION checkout_sessions UPDATE again.';
            END IF;
        END;
        PERFORM pg_catalog.pg_sleep(0.1);
    END LOOP;
END
$$;

-- No table is rewritten, as it would be for a domain with a CHECK, or for a default that is not a constant: a statement
-- that has begun before would see no row in it. The default is also what rows of an old dump get.
ALTER TABLE checkout_data.organizations ADD COLUMN refund_approval text NOT NULL DEFAULT 'none';
ALTER TABLE checkout_data.organizations ADD CONSTRAINT organizations_refund_approval_check
    CHECK (refund_approval OPERATOR(pg_catalog.=) ANY (ARRAY['none', 'required']));
COMMENT ON COLUMN checkout_data.organizations.refund_approval IS 'Whether refunds are approved by somebody.';

ALTER TABLE checkout_data.refunds ADD COLUMN approved_by text COLLATE "C";
ALTER TABLE checkout_data.refunds ADD CONSTRAINT refunds_approved_by_check
    CHECK (pg_catalog.octet_length(approved_by) OPERATOR(pg_catalog.<=) 100);
COMMENT ON COLUMN checkout_data.refunds.approved_by IS 'NULL for refunds of before version 0.2.0.';
CREATE INDEX refunds_approved_by_idx ON checkout_data.refunds (organization_id, environment, approved_by, refund_id);
DROP INDEX checkout_data.refunds_payment_idx;
CREATE INDEX refunds_payment_id_idx ON checkout_data.refunds (organization_id, environment, payment_id, refund_id);

ALTER TYPE checkout.refund ADD ATTRIBUTE approved_by text;
COMMENT ON TYPE checkout.refund IS 'One refund of a payment, and who has approved it.';
CREATE OR REPLACE FUNCTION checkout_data.refund_of(r checkout_data.refunds, idempotent_replay boolean)
    RETURNS checkout.refund LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        r.refund_id, r.payment_id, r.organization_id, r.environment, r.status, r.amount, r.currency_code, r.reason,
        r.created_at, r.updated_at, idempotent_replay, r.approved_by
    )::checkout.refund
    $$;

CREATE OR REPLACE VIEW checkout.refunds AS
    SELECT r.refund_id::pg_catalog.text AS refund_id, r.payment_id::pg_catalog.text AS payment_id, r.organization_id,
        r.environment::pg_catalog.text AS environment, r.status::pg_catalog.text AS status, r.amount,
        r.currency_code::pg_catalog.text AS currency_code, r.reason, r.created_at, r.updated_at, r.approved_by
    FROM checkout_data.refunds r
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;

-- A new table: rights, row-level security, and its registration for dumps are not there by themselves.
CREATE TABLE checkout_data.refund_approvals (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    refund_id checkout_data.identifier COLLATE "C" NOT NULL,
    approved_by text COLLATE "C" NOT NULL,
    approved_at timestamptz NOT NULL,
    CONSTRAINT refund_approvals_pkey PRIMARY KEY (organization_id, environment, refund_id)
);
COMMENT ON TABLE checkout_data.refund_approvals IS 'Who has approved a refund, and when.';
ALTER TABLE checkout_data.refund_approvals ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON checkout_data.refund_approvals TO checkout_sessions_api
    USING (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment())
    WITH CHECK (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment());
CREATE POLICY every_tenant ON checkout_data.refund_approvals TO checkout_sessions_worker USING (true) WITH CHECK (true);
REVOKE ALL ON checkout_data.refund_approvals FROM PUBLIC;
GRANT SELECT, INSERT ON checkout_data.refund_approvals TO checkout_sessions_api;
SELECT pg_catalog.pg_extension_config_dump('checkout_data.refund_approvals'::pg_catalog.regclass, '');

CREATE FUNCTION checkout_data.note_approval() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO pg_catalog, pg_temp
    AS $$
    BEGIN
        INSERT INTO checkout_data.refund_approvals
        VALUES (NEW.organization_id, NEW.environment, NEW.refund_id, NEW.approved_by, now()) ON CONFLICT DO NOTHING;
        RETURN NULL;
    END
    $$;
COMMENT ON FUNCTION checkout_data.note_approval IS 'Keeps who has approved a refund.';
REVOKE ALL ON FUNCTION checkout_data.note_approval() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION checkout_data.note_approval() TO checkout_sessions_api, checkout_sessions_worker;
CREATE TRIGGER note_approval AFTER INSERT OR UPDATE ON checkout_data.refunds
    FOR EACH ROW WHEN (NEW.approved_by IS NOT NULL) EXECUTE FUNCTION checkout_data.note_approval();

CREATE FUNCTION checkout.list_refund_approvals() RETURNS TABLE (refund_id text, approved_by text, approved_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT a.refund_id, a.approved_by, a.approved_at FROM checkout_data.refund_approvals a ORDER BY a.approved_at
    $$;
COMMENT ON FUNCTION checkout.list_refund_approvals IS 'Returns who has approved which refund.';
ALTER FUNCTION checkout.list_refund_approvals() OWNER TO checkout_sessions_api;
REVOKE ALL ON FUNCTION checkout.list_refund_approvals() FROM PUBLIC;

-- It is part of two accesses, whose list is long. Roles that have them get what is new in them.
DO $$
DECLARE
    role text;
    access text;
BEGIN
    EXECUTE pg_catalog.replace(pg_catalog.pg_get_functiondef('checkout_data.accesses()'::pg_catalog.regprocedure),
        '''list_refunds'',', '''list_refunds'', ''list_refund_approvals'',');
    FOR role, access IN
        SELECT r.rolname, pg_catalog.replace(p.proname::pg_catalog.text, '_access', '')
        FROM pg_catalog.pg_proc p
        CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) AS a
        JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.grantee
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'checkout_data'::pg_catalog.regnamespace
            AND p.proname OPERATOR(pg_catalog.=) ANY (ARRAY['secret_access', 'restricted_access']::pg_catalog.name[])
            AND a.grantee OPERATOR(pg_catalog.<>) p.proowner
    LOOP
        PERFORM checkout.grant_access(role, access);
    END LOOP;
END
$$;
