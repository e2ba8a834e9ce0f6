"""Attacks by the code of a hook: it runs in another's transaction, also in the worker's, as its owner."""

from attacks.intruder import goals
from attacks.lab import Attack

# What a hook tries first, to act for another or with more rights.
DISGUISES = {
    "as it is": "SELECT",
    "SET tenant": "SET checkout_sessions.organization_id = '$VICTIM'",
    "SET LOCAL tenant": "SET LOCAL checkout_sessions.organization_id = '$VICTIM'",
    "set_config of the tenant": "SELECT set_config('checkout_sessions.organization_id', '$VICTIM', true)",
    "RESET tenant": "RESET checkout_sessions.organization_id",
    "RESET ALL": "RESET ALL",
    "RESET ROLE": "RESET ROLE",
    "RESET SESSION AUTHORIZATION": "RESET SESSION AUTHORIZATION",
    "SET ROLE postgres": "SET ROLE postgres",
    "SET ROLE shop_a": "SET ROLE shop_a",
    "SET ROLE to the owner of the functions": "SET ROLE checkout_sessions_api",
    "SET ROLE to the worker": "SET ROLE checkout_sessions_worker",
    "a key of the own test environment": "SELECT checkout.authenticate('$TESTKEY')",
    "claims": """SELECT set_config('request.jwt.claims', '{"organization_id": "$VICTIM", "role": "shop_a"}', true),
        checkout.pre_request()""",
    "row_security off": "SET row_security = off",
    "as a replica": "SET session_replication_role = replica",
    "a search path": "SET search_path = own_shop_b, checkout_data, pg_catalog",
    "a subtransaction": "DO $sub$ BEGIN PERFORM set_config('checkout_sessions.organization_id', '$VICTIM', false);"
    " EXCEPTION WHEN OTHERS THEN NULL; END $sub$",
}
# Everything that it gets, and every word of every error, is written down for later.
HOOK = """
CREATE TABLE own_shop_b.plan (number serial, statement text);
CREATE TABLE own_shop_b.booty (what text);
CREATE FUNCTION own_shop_b.hook(s checkout.checkout_session) RETURNS void LANGUAGE plpgsql AS $hook$
DECLARE
    step text; answer record; detail text; hint text; context text;
BEGIN
    INSERT INTO own_shop_b.booty VALUES (concat_ws(' ', 'called for', checkout.current_organization_id(),
        checkout.current_environment(), current_user));
    FOR step IN SELECT statement FROM own_shop_b.plan ORDER BY number LOOP
        BEGIN
            IF step ~ '^SELECT .*FROM' THEN
                FOR answer IN EXECUTE step LOOP
                    INSERT INTO own_shop_b.booty VALUES (to_jsonb(answer)::text);
                END LOOP;
            ELSE
                EXECUTE step;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS detail := PG_EXCEPTION_DETAIL, hint := PG_EXCEPTION_HINT,
                context := PG_EXCEPTION_CONTEXT;
            INSERT INTO own_shop_b.booty VALUES (concat_ws(' ', SQLSTATE, SQLERRM, detail, hint, context));
        END;
        INSERT INTO own_shop_b.booty SELECT concat('now acts for ', checkout.current_organization_id(), ' ',
            checkout.current_environment());
    END LOOP;
END $hook$"""


def attacks():
    for moment in ("a payment", "a sweep"):
        for disguise, statement in DISGUISES.items():
            yield Attack(f"a hook called by {moment}: {disguise}", "B's role", called(moment, statement))


def called(moment, disguise):
    def action(me):
        bravo = me.home["organization_id"]
        me.raw(HOOK)
        disguised = disguise.replace("$TESTKEY", me.lab.keys["bravo test", "secret"])
        with me.connection.cursor() as cursor:
            for statement, *parameters in [(disguised,), *goals(me.victim)]:
                text = cursor.mogrify(me.fill_in(statement), parameters or None).decode()
                cursor.execute("INSERT INTO own_shop_b.plan (statement) VALUES (%s)", [text])
        event = "completed" if moment == "a payment" else "expired"
        me.lab.db.sql(f"SELECT checkout.set_hook('{bravo}', '{event}', 'own_shop_b.hook(checkout.checkout_session)')")
        try:
            ((session,),) = me.raw(
                "SELECT checkout_session_id FROM checkout.create_checkout_session(1, 'USD', customer_id => 'x',"
                " expires_in => '1 second')"
            )
            if moment == "a payment":
                me.raw("SELECT status FROM checkout.record_payment(%s, %s, 'succeeded')", session, f"hook {session}")
            else:
                me.raw("SELECT pg_sleep(1.1)")
                me.lab.db.sql("SELECT checkout.run_maintenance()")
        finally:
            me.lab.db.sql(f"SELECT checkout.set_hook('{bravo}', '{event}', NULL)")
        booty = [what for (what,) in me.raw("SELECT what FROM own_shop_b.booty")]
        # For later attacks it would be a find.
        me.raw("DROP FUNCTION own_shop_b.hook; DROP TABLE own_shop_b.plan, own_shop_b.booty")
        # One that has lost its tenant fails, and nothing of its work is left.
        failed = me.lab.db.sql("SELECT 1 FROM checkout_data.hook_failures WHERE checkout_session_id = %s", session)
        if len(booty) < 100 and not failed:
            me.found.append(f"the hook did not do its work: {booty[:3]}")
        me.found += [what for what in booty if what.startswith(("called for", "now acts for")) and not own(what, bravo)]

    return action


def own(what, bravo):
    """It acts for its own tenant, or for none."""
    return what in (f"called for {bravo} live shop_b", f"now acts for {bravo} live", "now acts for  live", "now acts for  ")
