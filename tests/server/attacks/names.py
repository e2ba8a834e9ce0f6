"""Attacks by names: the intruder's own tables, types, functions and operators, placed where ours might be looked up."""

from attacks.lab import Attack, TABLES

# The functions, operators and types that the bodies of our functions and policies use.
FUNCTIONS = [
    "replace",
    "concat",
    "translate",
    "encode",
    "convert_to",
    "left",
    "right",
    "uuid_send",
    "int4send",
    "json_build_object",
    "date_trunc",
    "round",
    "clock_timestamp",
    "now",
    "format",
    "length",
    "string_agg",
    "array_agg",
    "count",
    "min",
    "unnest",
    "has_function_privilege",
    "pg_get_userbyid",
    "regprocedureout",
    "textin",
    "texteq",
    "uuid_eq",
    "bpchareq",
    "timestamptz_le",
    "jsonb_out",
    "set_config",
    "current_setting",
    "num_nonnulls",
    "percentile_cont",
    "to_jsonb",
    "cardinality",
    "array_positions",
    "bool_or",
]
OWN_FUNCTIONS = {
    "redirect_url": "text, uuid",
    "effective_status": "text, timestamptz, timestamptz, timestamptz",
    "deadline": "timestamptz, timestamptz",
    "current_organization_id": "",
    "current_environment": "",
    "reader_organization_id": "",
    "event_status": "record, timestamptz",
    "secret_access": "",
    "authenticator_access": "",
    "admin_access": "",
    "session_at": "anyelement, timestamptz, boolean, text",
    "endpoint_of": "anyelement, text",
    "delivery_of": "anyelement, text, boolean, boolean, timestamptz",
    "deliveries_status": "record, timestamptz",
    "event_type_matches": "text[], text, text",
}
OPERATORS = {
    "=": ["uuid", "text", "timestamptz", "integer", "bytea"],
    "<>": ["text", "uuid"],
    "<=": ["timestamptz"],
    "<": ["timestamptz", "uuid"],
    ">": ["timestamptz", "uuid"],
    ">=": ["timestamptz"],
    "||": ["bytea"],
    "-": ["timestamptz"],
}
TYPES = [
    "text",
    "uuid",
    "timestamptz",
    "jsonb",
    "integer",
    "numeric",
    "bytea",
    "regprocedure",
    "checkout_session",
    "payment",
    "webhook_event",
    "webhook_endpoint",
    "webhook_consumer",
    "webhook_delivery",
    "webhook_attempt",
    "webhook_secret",
    "api_key",
    "environment",
    "session_status",
]
CATALOGS = ["pg_proc", "pg_roles", "pg_namespace", "pg_class"]
PATHS = ["pg_temp, pg_catalog", "$OWN, pg_temp, pg_catalog", "$OWN, checkout, checkout_data, pg_catalog, pg_temp", "''"]
# Reports for which tenant it was called, and copies all that it can see.
SPY = """LANGUAGE plpgsql AS $spy$
DECLARE
    seen text;
BEGIN
    IF current_user <> session_user AND current_user <> 'web' THEN
        RAISE NOTICE 'captured as %', current_user;
    END IF;
    BEGIN
        seen := (SELECT pg_catalog.string_agg(s::pg_catalog.text, ',') FROM checkout_data.checkout_sessions s);
        RAISE NOTICE 'saw %', seen;
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
    RETURN NULL;
END $spy$"""


def hijacks(*statements, path=PATHS[1], expected=()):
    """Creates shadowing objects, and calls everything."""

    def action(me):
        me.raw("BEGIN")
        for statement in statements:
            me.do(statement, expected=expected)
        me.do(f"SET LOCAL search_path = {path}")
        me.present_key()
        me.loot()
        # It acts for its own tenant, so that the bodies run to their end.
        me.loot(me.home)
        me.do("SELECT * FROM checkout.public_checkout_session(%s, %s)", me.home["open"], me.home["open secret"])
        if any("captured as checkout_sessions" in notice for notice in me.connection.notices):
            me.found.append(f"called with other rights: {me.connection.notices}")
        me.raw("ROLLBACK")

    return action


def every_overload(name):
    """A function of the intruder for each of the catalog's of that name, with the same arguments and result."""
    return f"""DO $do$
        DECLARE
            overload record;
        BEGIN
            FOR overload IN
                SELECT pg_get_function_identity_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
                FROM pg_proc
                WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = '{name}' AND prokind = 'f' LOOP
                BEGIN
                    EXECUTE format('CREATE FUNCTION $OWN.%I(%s) RETURNS %s {SPY.replace("'", "''").replace("%", "%%")}',
                        '{name}', overload.arguments, overload.result);
                EXCEPTION WHEN OTHERS THEN
                    NULL; -- what PL/pgSQL cannot take: "any", internal
                END;
            END LOOP;
        END $do$"""


def attacks():
    who = "B's secret key"
    for name in FUNCTIONS:
        yield Attack(f"function {name} of its own", who, hijacks(every_overload(name)))
    for name, arguments in OWN_FUNCTIONS.items():
        returned = "anyelement" if "anyelement" in arguments else "uuid" if name.endswith("organization_id") else "text"
        yield Attack(
            f"function {name} of its own",
            who,
            hijacks(f"CREATE FUNCTION $OWN.{name}({arguments}) RETURNS {returned} {SPY}", expected={"42P13", "0A000"}),
        )
        yield Attack(
            f"function checkout_data.{name} replaced",
            who,
            hijacks(
                f"CREATE OR REPLACE FUNCTION checkout_data.{name}({arguments}) RETURNS {returned} {SPY}",
                expected={"42P13", "0A000"},
            ),
        )
    for operator, types in OPERATORS.items():
        for type_ in types:
            yield Attack(
                f"operator {operator} of {type_}",
                who,
                hijacks(
                    f"CREATE FUNCTION $OWN.spy({type_}, {type_}) RETURNS boolean {SPY}",
                    f"CREATE OPERATOR $OWN.{operator} (FUNCTION = $OWN.spy, LEFTARG = {type_}, RIGHTARG = {type_})",
                ),
            )
    for table in [*TABLES, *CATALOGS]:
        for schema in ("pg_temp", "$OWN"):
            yield Attack(
                f"table {schema}.{table}",
                who,
                hijacks(
                    f"CREATE TABLE {schema}.{table} (organization_id uuid, environment text, checkout_session_id uuid,"
                    " api_key_id text, proname text, rolname text, oid oid)",
                    f"INSERT INTO {schema}.{table} (organization_id, environment) VALUES ('$VICTIM', 'live')",
                    path="pg_temp, pg_catalog" if schema == "pg_temp" else PATHS[1],
                ),
            )
        yield Attack(
            f"view pg_temp.{table} with a spy",
            who,
            hijacks(
                f"CREATE FUNCTION $OWN.spy() RETURNS text {SPY}",
                f"CREATE TEMP VIEW {table} AS SELECT $OWN.spy() AS checkout_session_id",
                path=PATHS[0],
            ),
        )
    for type_ in TYPES:
        for schema in ("pg_temp", "$OWN"):
            yield Attack(
                f"type {schema}.{type_}",
                who,
                hijacks(
                    f"CREATE FUNCTION $OWN.spy() RETURNS text {SPY}",
                    f'CREATE DOMAIN {schema}."{type_}" AS pg_catalog.text CHECK ($OWN.spy() IS NULL)',
                    path="pg_temp, pg_catalog" if schema == "pg_temp" else PATHS[1],
                ),
            )
    for path in PATHS:
        yield Attack(f"search_path {path}", who, hijacks(path=path))
    for cast in ("text AS uuid", "uuid AS text", "text AS timestamptz", "jsonb AS text"):
        left, right = cast.split(" AS ")
        yield Attack(
            f"cast {cast}",
            who,
            hijacks(
                f"CREATE FUNCTION $OWN.spy({left}) RETURNS {right} {SPY}",
                f"CREATE CAST ({cast}) WITH FUNCTION $OWN.spy({left}) AS IMPLICIT",
                expected={"42710"},
            ),
        )
    for what, statement in {
        "a schema in its place": "ALTER SCHEMA checkout_data RENAME TO x; CREATE SCHEMA checkout_data",
        "an extension of the same name": (
            "DROP EXTENSION checkout_sessions; CREATE EXTENSION checkout_sessions SCHEMA $OWN"
        ),
        "an extension update": "ALTER EXTENSION checkout_sessions UPDATE",
        "a member more": "ALTER EXTENSION checkout_sessions ADD SCHEMA $OWN",
        "a function in schema checkout": f"CREATE FUNCTION checkout.spy() RETURNS text {SPY}",
        "an aggregate": "CREATE AGGREGATE $OWN.count(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0')",
        "a collation": "CREATE COLLATION $OWN.\"default\" (LOCALE = 'C')",
        "a conversion": "CREATE DEFAULT CONVERSION $OWN.spy FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1",
        "an operator class": "CREATE OPERATOR CLASS $OWN.spy DEFAULT FOR TYPE uuid USING btree AS OPERATOR 1 <",
        "an event trigger": "CREATE EVENT TRIGGER spy ON ddl_command_end EXECUTE FUNCTION pg_catalog.now()",
        "a language": "CREATE TRUSTED LANGUAGE spy HANDLER plpgsql_call_handler",
        "the library once more": (
            "CREATE FUNCTION $OWN.spy() RETURNS uuid LANGUAGE c AS 'checkout_sessions',"
            " 'reader_organization_id_wrapper'"
        ),
        "the library with a wrong signature": (
            "CREATE FUNCTION $OWN.spy(text) RETURNS text LANGUAGE c SECURITY DEFINER AS "
            "'checkout_sessions', 'list_api_keys_wrapper'"
        ),
        "LOAD": "LOAD 'checkout_sessions'",
    }.items():
        yield Attack(what, who, hijacks(statement, expected={"42710", "42704", "42P17", "42883"}))
