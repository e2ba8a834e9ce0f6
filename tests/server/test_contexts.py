"""A function does the same wherever SQL can call it."""

from contextlib import closing

import psycopg2
import pytest
from attacks.intruder import as_called_here

PLPGSQL = "CREATE FUNCTION public.f() RETURNS text LANGUAGE plpgsql {0} AS $body$ {1} $body$; SELECT public.f()"
# %s is a query with one column and one row: the result of the function, as text. Each context returns that text.
CONTEXTS = {
    "a query": "{0}",
    "a common table expression": "WITH c AS MATERIALIZED ({0}) SELECT * FROM c",
    "a subquery": "SELECT ({0})",
    "a lateral join": "SELECT l.* FROM generate_series(1, 1) AS g, LATERAL ({0}) AS l",
    "an aggregate's argument": "SELECT max(r) FROM ({0}) AS c (r)",
    "a set operation": "{0} EXCEPT SELECT NULL",
    "a sort": "SELECT * FROM ({0}) AS c (r) ORDER BY r",
    "a prepared statement": "DEALLOCATE ALL; PREPARE p AS {0}; EXECUTE p",
    "CREATE TABLE AS": "CREATE TABLE public.t AS {0}; SELECT * FROM public.t",
    "a materialized view": "CREATE MATERIALIZED VIEW public.t AS {0}; SELECT * FROM public.t",
    "a view": "CREATE VIEW public.t AS {0}; SELECT * FROM public.t",
    "INSERT ... SELECT": "CREATE TABLE public.t (r text); INSERT INTO public.t {0} RETURNING r",
    "RETURNING": "CREATE TABLE public.t (r text); INSERT INTO public.t VALUES ('') RETURNING ({0})",
    "UPDATE": "CREATE TABLE public.t (r text); INSERT INTO public.t VALUES (''); UPDATE public.t SET r = ({0}) RETURNING r",
    "a cursor": "DECLARE c CURSOR FOR {0}; FETCH ALL FROM c",
    "a cursor that is held": "DECLARE c SCROLL CURSOR WITH HOLD FOR {0}; FETCH ALL FROM c",
    "a DEFAULT": PLPGSQL.format("", "BEGIN RETURN ({0}); END").replace("; SELECT public.f()", "")
    + "; CREATE TABLE public.t (n int, r text DEFAULT public.f()); INSERT INTO public.t VALUES (1) RETURNING r",
    "a trigger": "CREATE TABLE public.t (r text); CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN NEW.r ="
    " ({0}); RETURN NEW; END $body$; CREATE TRIGGER t BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.f(); INSERT"
    " INTO public.t VALUES ('') RETURNING r",
    "a deferred trigger": "CREATE TABLE public.t (r text); CREATE TABLE public.u (r text); CREATE FUNCTION public.f() RETURNS trigger"
    " LANGUAGE plpgsql AS $body$ BEGIN INSERT INTO public.u ({0}); RETURN NULL; END $body$; CREATE CONSTRAINT TRIGGER t AFTER INSERT"
    " ON public.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.f(); INSERT INTO public.t VALUES ('');"
    " SET CONSTRAINTS ALL IMMEDIATE; SELECT * FROM public.u",
    "a check constraint": PLPGSQL.format("", "BEGIN RETURN ({0}); END").replace("; SELECT public.f()", "")
    + "; CREATE TABLE public.t (r text CHECK (public.f() IS NOT NULL OR true)); INSERT INTO public.t VALUES (''); SELECT public.f()",
    "a PL/pgSQL function": PLPGSQL.format("", "BEGIN RETURN ({0}); END"),
    "a PL/pgSQL loop": PLPGSQL.format("", "DECLARE r text; BEGIN FOR r IN {0} LOOP RETURN r; END LOOP; END"),
    "EXECUTE": PLPGSQL.format("", "DECLARE r text; BEGIN EXECUTE $q$ {0} $q$ INTO r; RETURN r; END"),
    "an exception block": PLPGSQL.format(
        "", "DECLARE r text; BEGIN BEGIN r = ({0}); EXCEPTION WHEN division_by_zero THEN NULL; END; RETURN r; END"),
    "an exception block that was left by an error": PLPGSQL.format(
        "", "DECLARE r text; BEGIN BEGIN r = ({0}); PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN r = ({0}); END; RETURN r;"
        " END"),
    "an SQL function": "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $body$ {0} $body$; SELECT public.f()",
    "a function with a search path": "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql SET search_path TO pg_temp AS $body$ {0}"
    " $body$; SELECT public.f()",
    "a definer of the same role": "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql SECURITY DEFINER AS $body$ {0} $body$; SELECT"
    " public.f()",
    "a row-level policy": PLPGSQL.format("", "BEGIN RETURN ({0}); END").replace("; SELECT public.f()", "")
    + "; CREATE TABLE public.t (r text); INSERT INTO public.t VALUES (''); ALTER TABLE public.t ENABLE ROW LEVEL SECURITY, FORCE ROW"
    " LEVEL SECURITY; CREATE POLICY p ON public.t USING (public.f() IS NOT NULL OR true); SELECT public.f() FROM public.t",
    "after a savepoint": "SAVEPOINT a; SELECT 1; RELEASE a; SAVEPOINT b; {0}",
    "a parallel query": "SET LOCAL force_parallel_mode = on; {0}",
    "beside a parallel scan": "SELECT c.* FROM (SELECT count(*) FROM public.many) AS m, LATERAL ({0}) AS c",
    "CREATE TABLE AS, beside a parallel scan": "CREATE TABLE public.t AS SELECT c.* FROM (SELECT count(*) FROM public.many) AS m,"
    " LATERAL ({0}) AS c (r); SELECT r FROM public.t",
    "EXPLAIN ANALYZE": "SAVEPOINT a; EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {0}; ROLLBACK TO a; {0}",
}
PARALLEL = """SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
    SET LOCAL max_parallel_workers_per_gather = 2"""


@pytest.fixture
def world(world, db):
    """It has a large table, too."""
    db.sql("CREATE TABLE public.many AS SELECT n FROM generate_series(1, 100000) AS n; ANALYZE public.many")
    db.sql("GRANT ALL ON SCHEMA public TO PUBLIC; GRANT SELECT ON public.many TO PUBLIC")
    return world


def test_every_function_in_every_context(world):
    assert len(CONTEXTS) >= 30
    wrong = []
    for who, user in world.users.items():
        with closing(world.db.connect(user)) as connection, connection.cursor() as cursor:
            connection.autocommit = False
            for call in [call for call in world.calls() if call.who == who]:
                query = cursor.mogrify(f"SELECT (max(answer::text) IS NOT NULL)::text FROM {call.sql()} AS answer", call.arguments).decode()
                answers = {}
                for name, context in CONTEXTS.items():
                    try:
                        cursor.execute(PARALLEL)
                        cursor.execute(as_called_here(context.replace("{0}", query), connection))
                        answers[name] = list(cursor.fetchone().values())[0]
                    except psycopg2.Error as error:
                        answers[name] = f"{error.pgcode} {error}"
                    connection.rollback()
                wrong += [
                    (call.function, name, answer)
                    for name, answer in answers.items()
                    if answer != answers["a query"] or answer not in ("true", "false")
                ]
    assert not wrong


def test_a_table_of_many_sessions_is_made_in_parallel(world):
    """A typical case: 300,000 orders, each with the status of its session."""
    with closing(world.db.connect(world.db.shop)) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute(PARALLEL)
        cursor.execute("CREATE TABLE public.orders AS SELECT n, %s::uuid AS session FROM generate_series(1, 20000) AS n", (world.open,))
        cursor.execute(
            "CREATE TABLE public.r AS SELECT n, (checkout.get_checkout_session(session)).status FROM public.orders"
            " WHERE n %% 1000 = 0 AND n > (SELECT count(*) - 99999 FROM public.many)", ())
        cursor.execute("SELECT count(*), min(status) FROM public.r")
        assert list(cursor.fetchone().values()) == [20, "open"]
        connection.rollback()
