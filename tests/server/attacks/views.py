"""Attacks on the views: by those who may not read them, and by those who may and want the rows of others."""

from attacks.intruder import INTRUDERS
from attacks.lab import Attack

VIEWS = [
    "checkout_sessions",
    "open_checkout_sessions",
    "payments",
    "refunds",
    "webhook_events",
    "webhook_deliveries",
    "webhook_attempts",
    "webhook_endpoints",
    "products",
    "prices",
    "coupons",
    "inventory",
    "inventory_changes",
    "session_lines",
    "session_terms",
    "session_visits",
    "subscriptions",
    "session_periods",
    "hook_failures",
    "request_failures",
]
# What is called for a row before the tenant's condition has been checked would tell about it.
SPIES = [
    "CREATE FUNCTION $OWN.tell(what anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0000001 "
    "AS $$BEGIN RAISE NOTICE '%', what; RETURN true; END$$",
    "CREATE FUNCTION $OWN.tell(what text, other text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0000001 "
    "AS $$BEGIN RAISE NOTICE '% %', what, other; RETURN true; END$$",
    "CREATE OPERATOR $OWN.~~> (FUNCTION = $OWN.tell, LEFTARG = text, RIGHTARG = text)",
]
ON_VIEWS = {
    "SELECT": "SELECT * FROM {v}",
    "count": "SELECT count(*), max(v::text) FROM {v} v",
    "no row, by its condition": "SELECT * FROM {v} WHERE organization_id = '$VICTIM'",
    "COPY": "COPY (SELECT * FROM {v}) TO STDOUT",
    "whole rows": "SELECT v, to_jsonb(v) FROM {v} v",
    "table_to_xml": "SELECT table_to_xml('{v}', true, false, '')",
    "a cursor": "BEGIN; DECLARE c CURSOR FOR SELECT * FROM {v}; FETCH ALL FROM c",
    "EXPLAIN ANALYZE": "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM {v}",
    "a view of its own": "CREATE VIEW $OWN.loot AS SELECT * FROM {v}; SELECT * FROM $OWN.loot; DROP VIEW $OWN.loot",
    "an outer join": "SELECT v.* FROM (VALUES (1)) AS one LEFT JOIN {v} v ON true",
    "a full join": "SELECT v.* FROM (VALUES (1)) AS one FULL JOIN {v} v ON one.column1::text = v.organization_id::text",
    "a union": "SELECT organization_id::text FROM {v} UNION ALL SELECT v::text FROM {v} v",
    "a lateral join": "SELECT x FROM {v} v, LATERAL (SELECT v.*) AS x",
    "INSERT": "INSERT INTO {v} SELECT * FROM {v}",
    "UPDATE": "UPDATE {v} SET organization_id = '$HOME'",
    "DELETE": "DELETE FROM {v}",
    "MERGE": "MERGE INTO {v} USING (SELECT 1) AS s ON true WHEN MATCHED THEN DELETE",
    "FOR UPDATE": "SELECT * FROM {v} FOR UPDATE",
    "a function that tells": "SPIES; SELECT count(*) FROM {v} v WHERE $OWN.tell(v)",
    "a function that tells, of a column": "SPIES; SELECT count(*) FROM {v} v WHERE $OWN.tell(v.organization_id)",
    "an operator that tells": "SPIES; SELECT count(*) FROM {v} v WHERE v::text OPERATOR($OWN.~~>) 'x'",
    "a join that tells": "SPIES; SELECT count(*) FROM {v} v JOIN {v} w ON $OWN.tell(v::text, w::text)",
    "an order that tells": "SPIES; SELECT count(*) OVER () FROM {v} v ORDER BY $OWN.tell(v) LIMIT 1",
    "an error that tells": "SELECT * FROM {v} v WHERE v::text::integer = 1",
    "force_parallel_mode": "SET force_parallel_mode = on; SELECT * FROM {v}",
    "row_security": "SET row_security = off; SELECT * FROM {v}",
    "SECURITY INVOKER": "ALTER VIEW {v} SET (security_invoker = true)",
    "OWNER TO": "ALTER VIEW {v} OWNER TO $ROLE",
    "CREATE OR REPLACE": "CREATE OR REPLACE VIEW {v} AS SELECT * FROM {v}",
    "GRANT": "GRANT ALL ON {v} TO $ROLE",
    "CREATE RULE": "CREATE RULE spy AS ON UPDATE TO {v} DO INSTEAD NOTHING",
    "CREATE TRIGGER": "CREATE TRIGGER spy INSTEAD OF UPDATE ON {v} FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger()",
}
# The functions that return what belongs to a row, with a row that the intruder has made up.
RELATED = [
    "payments(jsonb_populate_record(NULL::checkout.checkout_sessions, '{\"checkout_session_id\": \"$SESSION\"}'))",
    "webhook_events(jsonb_populate_record(NULL::checkout.checkout_sessions, '{\"checkout_session_id\": \"$SESSION\"}'))",
    "prices(jsonb_populate_record(NULL::checkout.products, '{\"product_id\": \"mug\"}'))",
    "product(jsonb_populate_record(NULL::checkout.prices, '{\"product_id\": \"mug\"}'))",
    "inventory_changes(jsonb_populate_record(NULL::checkout.products, '{\"product_id\": \"mug\"}'))",
    "session_lines(jsonb_populate_record(NULL::checkout.checkout_sessions, '{\"checkout_session_id\": \"$SESSION\"}'))",
    "session_terms(jsonb_populate_record(NULL::checkout.checkout_sessions, '{\"checkout_session_id\": \"$SESSION\"}'))",
    "checkout_session(jsonb_populate_record(NULL::checkout.payments, '{\"checkout_session_id\": \"$SESSION\"}'))",
]


def reads(statements):
    def action(me):
        if me.key:
            me.present_key()
        for statement in [s for part in statements.split("; ") for s in (SPIES if part == "SPIES" else [part])]:
            # A role without a schema of its own makes nothing, and then has nothing to call.
            me.do(statement, expected={"42704", "42883", "3F000", "42P01", "34000", "42601"})
        if me.in_transaction():
            me.raw("ROLLBACK")
        me.do("SET force_parallel_mode = off")
        me.do("SET row_security = on")
        for what in ("OPERATOR $OWN.~~> (text, text)", "FUNCTION $OWN.tell(anyelement)", "FUNCTION $OWN.tell(text, text)"):
            me.do(f"DROP {what}", expected={"42704", "42883", "3F000"})

    return action


def attacks():
    for view in VIEWS:
        for who in INTRUDERS:
            if who != "A's role":
                yield Attack(f"SELECT on view {view}", who, reads(f"SELECT * FROM checkout.{view}"))
        for name, statements in ON_VIEWS.items():
            if name != "SELECT":
                for who in ("B's role", "B's secret key", "A's publishable key"):
                    yield Attack(f"{name} on view {view}", who, reads(statements.format(v=f"checkout.{view}")))
    for call in RELATED:
        for who in INTRUDERS:
            if who != "A's role":
                yield Attack(call.partition("(")[0] + " of a made-up row", who, reads(f"SELECT * FROM checkout.{call}"))
