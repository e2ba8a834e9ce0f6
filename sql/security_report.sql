-- The security report.

-- If the owner of the function or the owner's rights have been taken away, the report says so and does not fail.
CREATE FUNCTION checkout.security_report() RETURNS TABLE (finding text, object text, role text, advice text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS $$
    BEGIN
        RETURN QUERY SELECT f.* FROM checkout_data.security_findings() f;
    EXCEPTION WHEN insufficient_privilege THEN
        RETURN QUERY
            SELECT 'report incomplete', SQLERRM, current_user::text,
                'give security_report() its owner and the owner its rights again; '
                    'there may be more than what is listed here'
            UNION ALL
            SELECT 'owner', p.oid::regprocedure::text, pg_get_userbyid(p.proowner)::text,
                'ALTER FUNCTION ... OWNER TO checkout_sessions_worker, or checkout_sessions_api: '
                    'see the install script'
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = 'checkout' AND p.prosecdef
                AND pg_get_userbyid(p.proowner) <> ALL
                    (ARRAY['checkout_sessions_worker', 'checkout_sessions_api']::name[])
            ORDER BY 1, 2, 3;
    END
    $$;
COMMENT ON FUNCTION checkout.security_report IS
$$Returns a row for everything that weakens the security of this installation. It should return no rows.

It compares grants, policies, owners, attributes and memberships of roles, search paths, triggers and settings with
those of a fresh installation. If the function has lost its owner, or the owner its rights, it reports that and is
incomplete.

- finding: the kind of problem.
- object: where it is.
- role: the role that gains from it.
- advice: how to fix it.$$;
