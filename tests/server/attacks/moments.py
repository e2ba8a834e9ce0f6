"""Attacks by moments: effects that outlive their credential, and code that runs for another caller."""

from attacks.lab import Attack

LIST = "SELECT * FROM checkout.list_checkout_sessions(page_size => 100)"
GET = "SELECT * FROM checkout.get_checkout_session('$SESSION')"
EVENTS = "SELECT * FROM checkout.list_webhook_events(page_size => 100)"


def now_nobody(me):
    """Without a key, nothing remains of the one that was presented."""
    answer = me.do("SELECT checkout.current_organization_id()")
    if answer:
        me.found.append(f"still acts for {answer}")
    me.loot()
    me.loot(me.home)


def after_commit(me):
    me.present_key()
    me.raw("COMMIT")
    now_nobody(me)


def after_rollback(me):
    me.present_key()
    me.raw("ROLLBACK")
    now_nobody(me)


def after_error(me):
    me.present_key()
    me.raw("SELECT 1/0")
    me.raw("ROLLBACK")
    now_nobody(me)


def after_savepoint(me):
    me.raw("BEGIN")
    me.raw("SAVEPOINT before")
    me.raw("SELECT checkout.authenticate(%s)", me.key)
    me.raw("ROLLBACK TO before")
    now_nobody(me)


def after_nested_savepoints(me):
    me.raw("BEGIN")
    for name in "abc":
        me.raw(f"SAVEPOINT {name}")
        me.raw("SELECT checkout.authenticate(%s)", me.key)
    me.raw("RELEASE c")
    me.raw("ROLLBACK TO a")
    now_nobody(me)


def after_exception_block(me):
    me.raw("BEGIN")
    me.raw("SELECT set_config('own.key', %s, true)", me.key)
    me.raw("""DO $$ BEGIN
        PERFORM checkout.authenticate(current_setting('own.key'));
        RAISE 'undone';
    EXCEPTION WHEN OTHERS THEN NULL; END $$""")
    now_nobody(me)


def after_procedure(me):
    me.raw("SELECT set_config('own.key', %s, false)", me.key)
    me.raw("""CREATE PROCEDURE pg_temp.steps() LANGUAGE plpgsql AS $$ BEGIN
        PERFORM checkout.authenticate(current_setting('own.key'));
        COMMIT;
        PERFORM checkout.list_checkout_sessions();
    END $$""")
    if me.raw("CALL pg_temp.steps()") is not None:
        me.found.append("the key has outlived a COMMIT within a procedure")
    now_nobody(me)


def after_function_that_sets(me):
    me.raw("BEGIN")
    me.raw("SELECT set_config('own.key', %s, true)", me.key)
    me.raw("""CREATE FUNCTION pg_temp.presented() RETURNS text LANGUAGE plpgsql SET work_mem = '1MB' AS $$ BEGIN
        PERFORM checkout.authenticate(current_setting('own.key')); RETURN checkout.current_environment(); END $$""")
    me.raw("SELECT pg_temp.presented()")
    me.loot()


def chain(me):
    me.present_key()
    me.raw("COMMIT AND CHAIN")
    now_nobody(me)


def prepared_transaction(me):
    me.present_key()
    me.raw("PREPARE TRANSACTION 'spy'")
    me.raw("ROLLBACK") if me.in_transaction() else None
    now_nobody(me)


def discarded(statement):
    def action(me):
        me.present_key()
        me.do(statement)
        me.loot()

    return action


def other_key(kind, environment):
    """The second key of a transaction must not move it to another tenant."""

    def action(me):
        me.present_key()
        me.raw("SAVEPOINT one")
        me.raw("SELECT checkout.authenticate(%s)", me.lab.keys[f"bravo {environment}", kind])
        me.raw("ROLLBACK TO one") if me.connection.info.transaction_status == 3 else None
        me.loot()

    return action


def victim_works(me, statements):
    """The pool's next client, A, works with its own key on the connection that the intruder has prepared."""
    me.raw("BEGIN")
    me.raw("SELECT checkout.authenticate(%s)", me.lab.keys["alpha live", "secret"])
    heard = len(me.heard)
    for statement in statements:
        me.do(statement)
    # A receives its own data. Only what the intruder receives afterwards counts.
    del me.heard[heard:]
    me.connection.notices.clear()
    me.raw("COMMIT")


def pooled(prepare, collect, victim=(LIST, EVENTS)):
    """The intruder, then A, then the intruder again, on one connection: as in a pool without a reset."""

    def action(me):
        for statement in prepare:
            me.do(statement)
        victim_works(me, victim)
        for statement in collect:
            me.do(statement, expected={"34000", "26000", "42P01", "42883", "42704"})
        now_nobody(me)
        me.present_key()
        for statement in collect:
            me.do(statement, expected={"34000", "26000", "42P01", "42883", "42704"})
        me.loot()

    return action


POOLED = {
    "a prepared list": ([f"PREPARE spy AS {LIST}", "EXECUTE spy"], ["EXECUTE spy"]),
    "a prepared get": ([f"PREPARE spy AS {GET}"], ["EXECUTE spy"]),
    "a prepared generic plan": (
        ["SET plan_cache_mode = force_generic_plan", f"PREPARE spy AS {LIST}"],
        ["EXECUTE spy", "EXECUTE spy"],
    ),
    "a prepared direct SELECT": (
        ["PREPARE spy AS SELECT current_setting('checkout_sessions.credential', true)"],
        ["EXECUTE spy"],
    ),
    "a temporary view": ([f"CREATE TEMP VIEW spy AS {LIST}"], ["SELECT * FROM spy"]),
    "a cached plan in a function": (
        [
            "CREATE FUNCTION pg_temp.spy() RETURNS SETOF checkout.checkout_session LANGUAGE plpgsql AS "
            f"'BEGIN RETURN QUERY {LIST}; END'"
        ],
        ["SELECT * FROM pg_temp.spy()"],
    ),
    "an SQL function": (
        [f"CREATE FUNCTION pg_temp.spy() RETURNS SETOF checkout.checkout_session LANGUAGE sql AS '{LIST}'"],
        ["SELECT * FROM pg_temp.spy()"],
    ),
    "a WITH HOLD cursor": ([], ["DECLARE spy CURSOR WITH HOLD FOR " + LIST, "FETCH ALL spy"]),
    "settings of the session": (['SET request.headers = \'{"x-trace-id": "spy"}\''], ["SHOW response.headers"]),
    "the credential": (
        [],
        [
            "SHOW checkout_sessions.credential",
            "SELECT current_setting('checkout_sessions.credential', true)",
            "SHOW checkout_sessions.organization_id",
            "SELECT * FROM pg_settings WHERE name LIKE 'checkout%'",
        ],
    ),
    "the statement before": (
        [],
        ["SELECT query FROM pg_stat_activity", "SELECT * FROM pg_prepared_statements", "SELECT * FROM pg_cursors"],
    ),
    "temporary tables of our names": (
        ["CREATE TEMP TABLE checkout_sessions (t text)", "CREATE TEMP TABLE organizations (t text)"],
        ["SELECT * FROM checkout_sessions", "SELECT * FROM organizations"],
    ),
    "a search path of its own": (
        ["SET search_path = $OWN, pg_temp"],
        ["SELECT * FROM checkout.list_checkout_sessions()"],
    ),
    "a role reset": ([], ["RESET ROLE", "RESET SESSION AUTHORIZATION", "RESET ALL", "DISCARD PLANS", LIST]),
    "a listener": (["LISTEN checkout_sessions"], ["SELECT pg_notify('x', 'y')"]),
    "notices of debugging": (["SET client_min_messages = debug1"], [LIST]),
    "an xml of a cursor": (
        [],
        ["SELECT query_to_xml('SELECT * FROM checkout.list_checkout_sessions()', true, false, '')"],
    ),
    "the settings' cache": (
        ["SELECT * FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c')"],
        ["SELECT * FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c')"],
    ),
}


# Ways to make the server run a statement: {s} is the statement as a text, {q} the same within quotes.
WRAPPERS = {
    "PREPARE": "PREPARE spy AS {s}|EXECUTE spy",
    "a cursor": "DECLARE spy CURSOR FOR {s}|FETCH ALL spy",
    "a held cursor": "DECLARE spy CURSOR WITH HOLD FOR {s}|FETCH ALL spy",
    "a scrolling cursor": "DECLARE spy SCROLL CURSOR FOR {s}|FETCH LAST spy",
    "DO": "DO $$ DECLARE r record; BEGIN FOR r IN {s} LOOP RAISE NOTICE '%', r; END LOOP; END $$",
    "DO with EXCEPTION": (
        "DO $$ DECLARE r record; BEGIN FOR r IN {s} LOOP RAISE NOTICE '%', r; END LOOP; EXCEPTION WHEN OTHERS THEN "
        "RAISE NOTICE '% %', SQLERRM, SQLSTATE; END $$"
    ),
    "dynamic SQL": "DO $$ DECLARE r record; BEGIN FOR r IN EXECUTE '{q}' LOOP RAISE NOTICE '%', r; END LOOP; END $$",
    "a definer function": (
        "CREATE FUNCTION $OWN.spy() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$ DECLARE r record; BEGIN "
        "FOR r IN {s} LOOP RETURN NEXT r::text; END LOOP; END $$|SELECT * FROM $OWN.spy()"
    ),
    "a parallel safe function": (
        "CREATE FUNCTION $OWN.spy() RETURNS SETOF text LANGUAGE plpgsql PARALLEL SAFE AS $$ DECLARE r record; BEGIN "
        "FOR r IN {s} LOOP RETURN NEXT r::text; END LOOP; END $$|SET LOCAL force_parallel_mode = on|"
        "SELECT * FROM $OWN.spy()|SELECT count($OWN.spy()) FROM generate_series(1, 10)"
    ),
    "an immutable function in an index": (
        "CREATE FUNCTION $OWN.spy(integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ DECLARE r record; BEGIN "
        "FOR r IN {s} LOOP RAISE NOTICE '%', r; END LOOP; RETURN ''; END $$|CREATE TEMP TABLE t (i integer)|"
        "INSERT INTO t VALUES (1)|CREATE INDEX ON t ($OWN.spy(i))|ANALYZE t"
    ),
    "a view": "CREATE VIEW $OWN.spy AS {s}|SELECT * FROM $OWN.spy",
    "a barrier view": "CREATE VIEW $OWN.spy WITH (security_barrier) AS {s}|SELECT * FROM $OWN.spy",
    "an invoker view": "CREATE VIEW $OWN.spy WITH (security_invoker) AS {s}|SELECT * FROM $OWN.spy",
    "a materialized view": (
        "CREATE MATERIALIZED VIEW $OWN.spy AS {s}|SELECT * FROM $OWN.spy|REFRESH MATERIALIZED VIEW $OWN.spy"
    ),
    "CREATE TABLE AS": "CREATE TEMP TABLE spy AS {s}|SELECT * FROM spy",
    "COPY": "COPY ({s}) TO STDOUT",
    "query_to_xml": "SELECT query_to_xml('{q}', true, false, '')",
    "EXPLAIN ANALYZE": "EXPLAIN (ANALYZE, VERBOSE) {s}",
    "a trigger": (
        "CREATE TEMP TABLE t (i integer)|CREATE FUNCTION $OWN.spy() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE r"
        " record; BEGIN FOR r IN {s} LOOP RAISE NOTICE '%', r; END LOOP; RETURN NEW; END $$|CREATE TRIGGER spy BEFORE"
        " INSERT ON t FOR EACH ROW EXECUTE FUNCTION $OWN.spy()|INSERT INTO t VALUES (1)"
    ),
    "a deferred trigger": (
        "CREATE TEMP TABLE t (i integer)|CREATE FUNCTION $OWN.spy() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE r"
        " record; BEGIN FOR r IN {s} LOOP RAISE NOTICE '%', r; END LOOP; RETURN NEW; END $$|CREATE CONSTRAINT TRIGGER"
        " spy AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION $OWN.spy()|INSERT INTO t"
        " VALUES (1)|SET CONSTRAINTS ALL IMMEDIATE"
    ),
    "a row policy": (
        "CREATE TEMP TABLE t (i integer)|CREATE FUNCTION $OWN.spy() RETURNS boolean LANGUAGE plpgsql AS $$ DECLARE r"
        " record; BEGIN FOR r IN {s} LOOP RAISE NOTICE '%', r; END LOOP; RETURN true; END $$|ALTER TABLE t ENABLE ROW"
        " LEVEL SECURITY|ALTER TABLE t FORCE ROW LEVEL SECURITY|CREATE POLICY spy ON t USING ($OWN.spy()) WITH CHECK"
        " ($OWN.spy())|INSERT INTO t VALUES (1)|SELECT * FROM t"
    ),
    "a rule": "CREATE TEMP TABLE t (i integer)|CREATE RULE spy AS ON UPDATE TO t DO INSTEAD {s}|UPDATE t SET i = 1",
    "a lateral join": "SELECT * FROM generate_series(1, 3) g, LATERAL ({s}) AS l",
    "a recursive query": (
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r, ({s}) AS l"
    ),
}
STATEMENTS = {"list": LIST, "get": GET, "sessions' rows": "SELECT * FROM checkout_data.checkout_sessions"}


def wrapped(wrapper, statement):
    def action(me):
        for keyed in (False, True):
            me.raw("BEGIN")
            if keyed and me.key:
                me.present_key()
            for part in wrapper.replace("{s}", statement).replace("{q}", statement.replace("'", "''")).split("|"):
                # Objects that could not be created cannot be used.
                me.do(part, expected={"26000", "34000", "42P01", "42883"})
            me.raw("ROLLBACK")

    return action


def across_roles(prepare, collect):
    """A statement that is kept for another role: the authenticator changes roles from one request to the next."""

    def action(me):
        for statement in prepare:
            me.do(statement)
        for role in ("web", "NONE"):
            me.do(f"SET ROLE {role}")
            for statement in collect:
                me.do(statement, expected={"34000", "26000"})
            me.raw("BEGIN")
            me.do("SELECT checkout.authenticate(%s)", me.lab.keys["bravo live", "publishable"])
            for statement in collect:
                me.do(statement, expected={"34000", "26000"})
            me.raw("ROLLBACK")
            me.loot()

    return action


def attacks():
    simple = [
        after_commit,
        after_rollback,
        after_error,
        after_savepoint,
        after_nested_savepoints,
        after_exception_block,
        after_procedure,
        chain,
        prepared_transaction,
    ]
    for who in ("B's secret key", "A's publishable key"):
        for action in simple:
            yield Attack(action.__name__.replace("_", " "), who, action)
        yield Attack("within a function that sets something", who, after_function_that_sets)
        for statement in (
            "RESET ALL",
            "DISCARD TEMP",
            "DISCARD PLANS",
            "RESET SESSION AUTHORIZATION",
            "RESET ROLE",
            "SET LOCAL role = NONE",
            "SET SESSION AUTHORIZATION DEFAULT",
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SET LOCAL ROLE web",
        ):
            yield Attack(f"{statement} after its key", who, discarded(statement))
        for what, (prepare, collect) in POOLED.items():
            yield Attack(f"{what}, kept for the pool's next client", who, pooled(prepare, collect))
    for kind, environment in (("secret", "test"), ("publishable", "test"), ("publishable", "live")):
        yield Attack(
            f"the {kind} {environment} key of the same organization second",
            "B's secret key",
            other_key(kind, environment),
        )
    for how, wrapper in WRAPPERS.items():
        for what, statement in STATEMENTS.items():
            for who in ("B's secret key", "A's publishable key", "B's role"):
                yield Attack(f"{what} by {how}", who, wrapped(wrapper, statement))
    for what, prepare, collect in [
        ("a prepared statement", [f"PREPARE spy AS {LIST}"], ["EXECUTE spy"]),
        ("a held cursor", ["BEGIN", f"DECLARE spy CURSOR WITH HOLD FOR {LIST}", "COMMIT"], ["FETCH ALL spy"]),
        (
            "a temporary function",
            [f"CREATE FUNCTION pg_temp.spy() RETURNS SETOF checkout.checkout_session LANGUAGE sql AS '{LIST}'"],
            ["SELECT * FROM pg_temp.spy()"],
        ),
        (
            "a prepared SELECT on the table",
            ["SET ROLE web", "PREPARE spy AS SELECT * FROM checkout_data.checkout_sessions"],
            ["EXECUTE spy"],
        ),
        ("claims of the session", ['SET request.jwt.claims = \'{"role": "web"}\''], ["SELECT checkout.pre_request()"]),
    ]:
        yield Attack(f"{what} across SET ROLE", "authenticator", across_roles(prepare, collect))
