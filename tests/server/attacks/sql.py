"""Attacks by SQL: direct access to tables, functions of other roles, and settings that change how a statement runs."""

from attacks.lab import Attack, TABLES, time_of

LIST = "SELECT * FROM checkout.list_checkout_sessions(page_size => 100)"
ON_TABLES = {
    "SELECT": "SELECT * FROM {t}",
    "SELECT ctid": "SELECT ctid, xmin FROM {t}",
    "SELECT count": "SELECT count(*) FROM {t}",
    "SELECT FOR UPDATE": "SELECT * FROM {t} FOR UPDATE",
    "TABLESAMPLE": "SELECT * FROM {t} TABLESAMPLE SYSTEM (100)",
    "whole row": "SELECT t FROM {t} t",
    "ONLY": "SELECT * FROM ONLY {t}",
    "TABLE": "TABLE {t}",
    "INSERT": "INSERT INTO {t} SELECT * FROM {t}",
    "INSERT DEFAULT": "INSERT INTO {t} DEFAULT VALUES",
    "UPDATE": "UPDATE {t} SET {at} = {at}",
    "DELETE": "DELETE FROM {t}",
    "TRUNCATE": "TRUNCATE {t} CASCADE",
    "MERGE": "MERGE INTO {t} USING (SELECT 1) AS s ON true WHEN MATCHED THEN DELETE",
    "COPY TO": "COPY {t} TO STDOUT",
    "COPY query": "COPY (SELECT * FROM {t}) TO STDOUT",
    "COPY FROM PROGRAM": "COPY {t} FROM PROGRAM 'true'",
    "COPY TO a file": "COPY {t} TO '/tmp/loot'",
    "LOCK": "BEGIN; LOCK TABLE {t} IN ACCESS EXCLUSIVE MODE",
    "EXPLAIN": "EXPLAIN SELECT * FROM {t} WHERE {at} > '2020-01-01'",
    "EXPLAIN ANALYZE": "EXPLAIN ANALYZE SELECT * FROM {t}",
    "CREATE TRIGGER": (
        "CREATE TRIGGER spy AFTER INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "CREATE RULE": "CREATE RULE spy AS ON INSERT TO {t} DO ALSO NOTIFY spy",
    "CREATE POLICY": "CREATE POLICY spy ON {t} USING (true)",
    "NO ROW LEVEL SECURITY": "ALTER TABLE {t} DISABLE ROW LEVEL SECURITY",
    "OWNER TO": "ALTER TABLE {t} OWNER TO $ROLE",
    "GRANT": "GRANT ALL ON {t} TO $ROLE",
    "INHERIT": "CREATE TABLE $OWN.child () INHERITS ({t})",
    "LIKE": "CREATE TABLE $OWN.twin (LIKE {t} INCLUDING ALL)",
    "PARTITION": "CREATE TABLE $OWN.part PARTITION OF {t} DEFAULT",
    "REFERENCES": "CREATE TABLE $OWN.probe (organization_id uuid REFERENCES {t})",
    "INDEX": "CREATE INDEX ON {t} ({at})",
    "STATISTICS": "CREATE STATISTICS $OWN.spy ON organization_id, {at} FROM {t}",
    "ANALYZE": "ANALYZE VERBOSE {t}",
    "VACUUM": "VACUUM VERBOSE {t}",
    "CLUSTER": "CLUSTER {t}",
    "COMMENT": "COMMENT ON TABLE {t} IS 'x'",
    "PUBLICATION": "CREATE PUBLICATION spy FOR TABLE {t}",
    "CREATE TABLE AS": "CREATE TABLE $OWN.loot AS SELECT * FROM {t}",
    "a view": "CREATE VIEW $OWN.loot AS SELECT * FROM {t}; SELECT * FROM $OWN.loot",
    "SECURITY LABEL": "SECURITY LABEL ON TABLE {t} IS 'x'",
    "table_to_xml": "SELECT table_to_xml('{t}', true, false, '')",
    "query_to_xml": "SELECT query_to_xml('SELECT * FROM {t}', true, false, '')",
    "cursor_to_xml": "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM {t}; SELECT cursor_to_xml('c', 10, true, false, '')",
    "ts_stat": "SELECT * FROM ts_stat('SELECT to_tsvector(t::text) FROM {t} t')",
    "pg_stats": "SELECT * FROM pg_stats WHERE schemaname || '.' || tablename = '{t}'",
    "pg_statistic": "SELECT * FROM pg_statistic WHERE starelid::regclass::text = '{t}'",
    "DROP": "DROP TABLE {t} CASCADE",
}
WHOLE = {
    "schema_to_xml": "SELECT schema_to_xml('checkout_data', true, false, '')",
    "database_to_xml": "SELECT database_to_xml(true, false, '')",
    "pg_stats_ext": "SELECT * FROM pg_stats_ext; SELECT * FROM pg_stats_ext_exprs; SELECT * FROM pg_statistic_ext_data",
    "pg_stats": "SELECT * FROM pg_stats",
    "pg_stat_activity": "SELECT * FROM pg_stat_activity",
    "pg_authid": "SELECT * FROM pg_authid",
    "pg_shadow": "SELECT * FROM pg_shadow",
    "pg_settings": "SELECT * FROM pg_settings",
    "pg_file_settings": "SELECT * FROM pg_file_settings",
    "pg_prepared_statements": "SELECT * FROM pg_prepared_statements",
    "pg_cursors": "SELECT * FROM pg_cursors",
    "pg_locks": "SELECT * FROM pg_locks",
    "pg_db_role_setting": "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 0",
    "pg_read_file": "SELECT pg_read_file('postgresql.auto.conf')",
    "pg_ls_dir": "SELECT pg_ls_dir('.')",
    "pg_read_binary_file": "SELECT pg_read_binary_file('base/1/1259')",
    "lo_import": "SELECT lo_import('/etc/passwd')",
    "pg_current_logfile": "SELECT pg_current_logfile(), pg_ls_logdir()",
    "COPY PROGRAM": "COPY (SELECT 1) TO PROGRAM 'true'",
    "pageinspect": "CREATE EXTENSION pageinspect",
    "dblink": "CREATE EXTENSION dblink",
    "file_fdw": "CREATE EXTENSION file_fdw",
    "pg_buffercache": "CREATE EXTENSION pg_buffercache",
    "an untrusted language": "CREATE EXTENSION plperlu",
    "a foreign server": "CREATE SERVER spy FOREIGN DATA WRAPPER postgres_fdw",
    "a subscription": "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
    "a replication slot": "SELECT pg_create_logical_replication_slot('spy', 'test_decoding')",
    "pg_export_snapshot": "BEGIN; SELECT pg_export_snapshot(); " + LIST,
    "pg_terminate_backend": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    "pg_reload_conf": "SELECT pg_reload_conf()",
    "pg_promote": "SELECT pg_promote()",
    "DROP OWNED": "DROP OWNED BY postgres, checkout_sessions_api CASCADE",
    "DROP EXTENSION": "DROP EXTENSION checkout_sessions CASCADE",
    "DROP SCHEMA": "DROP SCHEMA checkout, checkout_data CASCADE",
    "DROP ROLE": "DROP ROLE checkout_sessions_api",
    "CREATEROLE": "CREATE ROLE spy SUPERUSER",
    "ALTER ROLE SUPERUSER": "ALTER ROLE $ROLE SUPERUSER BYPASSRLS",
    "ALTER ROLE of ours": "ALTER ROLE checkout_sessions_api LOGIN",
    "default privileges": "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO $ROLE",
    "GRANT on functions": "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA checkout, checkout_data TO $ROLE",
    "GRANT on schema": "GRANT ALL ON SCHEMA checkout_data TO $ROLE",
    "ALTER FUNCTION": "ALTER FUNCTION checkout.session_funnel OWNER TO $ROLE",
    "SECURITY INVOKER": "ALTER FUNCTION checkout.session_funnel SECURITY INVOKER",
    "LEAKPROOF": "CREATE FUNCTION $OWN.spy(text) RETURNS boolean LANGUAGE sql LEAKPROOF AS 'SELECT true'",
    "grant_access": "SELECT checkout.grant_access('$ROLE', 'admin')",
    "revoke_access": "SELECT checkout.revoke_access('shop_a', 'secret')",
    "LISTEN": "LISTEN checkout_sessions; SELECT pg_notify('checkout_sessions', 'x')",
    "LISTEN for webhooks": "LISTEN checkout_sessions_webhooks; SELECT pg_notify('checkout_sessions_webhooks', 'x')",
}
# Functions that give a role more rights than its access: those of the other accesses, and internal ones.
FORBIDDEN = [
    "checkout.list_organizations()",
    "checkout.list_api_keys()",
    "checkout.list_api_keys('$VICTIM')",
    "checkout.create_api_key('$VICTIM', 'secret', 'live')",
    "checkout.revoke_api_key('sk_live_000000000000')",
    "checkout.roll_api_key('sk_live_000000000000')",
    "checkout.rotate_client_secrets('$VICTIM')",
    "checkout.create_organization('x')",
    "checkout.update_organization('$VICTIM', name => 'x')",
    "checkout.set_hook('$VICTIM', 'completed', NULL)",
    "checkout.list_hooks()",
    "checkout.delete_organization('$VICTIM', 'canary')",
    "checkout.security_report()",
    "checkout.worker_status()",
    "checkout.outbox_status()",
    "checkout.record_webhook_attempts('[]')",
    "checkout.claim_webhook_deliveries()",
    "checkout.claim_webhook_deliveries(1000, '12 hours', 1000)",
    "checkout.next_webhook_attempt_at()",
    "checkout.list_dead_webhook_deliveries()",
    "checkout.list_dead_webhook_deliveries('$VICTIM')",
    "checkout.expire_due_checkout_sessions()",
    "checkout.fold_sessions()",
    "checkout.run_maintenance()",
    "checkout.activate_database()",
    "checkout.verify_restore()",
    "checkout_data.wake_worker()",
    "checkout_data.reader_organization_id()",
    "checkout_data.accesses()",
    "checkout_data.functions_of_access('admin')",
    "checkout_data.check_access('$ROLE', 'admin')",
    "checkout_data.secret_access()",
    "checkout_data.authenticator_access()",
    "checkout_data.effective_status(NULL, now())",
    "checkout_data.organizations_changed()",
    "checkout_data.hook_fault(0)",
    "checkout_data.hook_function('pg_catalog', 'now')",
    "checkout_data.organizations_deleted()",
    "checkout_data.checkout_sessions_deleted()",
    "checkout_data.webhook_headers('standard', 'e', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', NULL, now())",
    "checkout_data.event_type_matches('{*}', 'lomi', 'checkout.session.completed')",
    "checkout_data.event_body_as('lomi', 'e', 'checkout.session.completed', now(), '{}', true)",
]
SETTINGS = [
    "checkout_sessions.webhook_allowed_ranges = '0.0.0.0/0'",
    "checkout_sessions.worker_enabled = off",
    "checkout_sessions.deliveries_enabled = off",
    "row_security = off",
    "force_parallel_mode = on",
    "force_parallel_mode = regress",
    "plan_cache_mode = force_generic_plan",
    "plan_cache_mode = force_custom_plan",
    "jit_above_cost = 0",
    "jit = on",
    "enable_indexscan = off",
    "enable_seqscan = off",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_read_only = on",
    "client_min_messages = debug5",
    "debug_print_plan = on",
    "debug_print_parse = on",
    "log_statement = 'all'",
    "session_replication_role = replica",
    "standard_conforming_strings = off",
    "client_encoding = 'SQL_ASCII'",
    "client_encoding = 'LATIN1'",
    "datestyle = 'SQL, DMY'",
    "intervalstyle = 'iso_8601'",
    "timezone = 'Pacific/Apia'",
    "bytea_output = 'escape'",
    "lc_messages = 'C'",
    "transform_null_equals = on",
    "quote_all_identifiers = on",
    "check_function_bodies = off",
    "backslash_quote = on",
    "default_table_access_method = 'heap'",
    "statement_timeout = '1s'",
    "local_preload_libraries = 'checkout_sessions'",
    "session_preload_libraries = 'checkout_sessions'",
    "dynamic_library_path = '/tmp'",
    "allow_system_table_mods = on",
    "constraint_exclusion = on",
    "parallel_leader_participation = off",
    "xmloption = content",
    "work_mem = 64",
]


def runs(statement):
    def action(me):
        if me.key:
            me.present_key()
        for part in statement.split("; "):
            if part == "BEGIN":
                me.raw(part) if not me.in_transaction() else None
            else:
                # Missing targets, such as an extension's library, count as refusals.
                me.do(part, expected={"42P01", "42704", "42883", "34000", "3F000"})

    return action


def with_setting(setting):
    def action(me):
        me.do(f"SET {setting}")
        me.loot()
        me.raw("BEGIN")
        if me.key:
            me.present_key()
        me.do(f"SET LOCAL {setting}")
        me.loot()

    return action


def attacks():
    for table in TABLES:
        for verb, statement in ON_TABLES.items():
            yield Attack(f"{verb} on {table}", "B's role", runs(statement.format(t=f"checkout_data.{table}", at=time_of(table))))
    for what, statement in WHOLE.items():
        for who in ("anonymous", "B's role"):
            yield Attack(what, who, runs(statement))
    for call in FORBIDDEN:
        for who in ("anonymous", "B's role", "verifier", "plain", "A's publishable key"):
            yield Attack(call, who, runs(f"SELECT * FROM {call}"))
    for setting in SETTINGS:
        for who in ("B's role", "B's secret key"):
            yield Attack(setting, who, with_setting(setting))
