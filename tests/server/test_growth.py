"""No input of any size, and no number of calls, takes a backend's time or memory without bound."""

import itertools
from contextlib import closing

import pytest
from conftest import AS_SERVER_USER, run
from support.all_functions import World
from support.outcomes import outcome

SIZES = {"1 kB": 1_000, "100 kB": 100_000, "10 MB": 10_000_000}
# Arguments of about so many bytes: plain ones, and ones that have made something slow.
LARGE = {
    "text": ["repeat('x', {0})", "repeat('eyJ-', {0} / 4)", "repeat(E'\\u00e9%%3D/', {0} / 6)"],
    "text[]": ["array_fill('x'::text, ARRAY[{0} / 8])", "ARRAY[repeat('x', {0})]"],
    "uuid[]": ["array_fill(gen_random_uuid(), ARRAY[{0} / 16])"],
    "jsonb": [
        "to_jsonb(array_fill(1, ARRAY[{0} / 12]))",
        "jsonb_build_object('a', repeat('x', {0}))",
        "(SELECT jsonb_object_agg(n, n) FROM generate_series(1, {0} / 30) AS n)",
        "(repeat('[', least({0} / 2, 5000)) || repeat(']', least({0} / 2, 5000)))::jsonb",
    ],
}
# SQLSTATEs that no call may have, because the server itself fails: too long, too large, no memory, internal errors.
NEVER = ("57014", "54", "53", "XX", "58")
CALLS = 100


def test_no_argument_of_whatever_size_takes_long_or_breaks_anything(world):
    types, wrong, tried = world.argument_types(), [], 0
    for who, user in world.users.items():
        with closing(world.db.connect(user)) as connection, connection.cursor() as cursor:
            connection.autocommit = False
            cursor.execute("SET SESSION statement_timeout = '5s'")
            connection.commit()
            for call in [call for call in world.calls() if call.who == who]:
                for argument, of_type in types.get(call.function, {}).items():
                    for value, (size, bytes_) in itertools.product(LARGE.get(of_type, []), SIZES.items()):
                        tried += 1
                        code = outcome(connection, call.sql(**{argument: value.format(bytes_)}), call.arguments)
                        if code.startswith(NEVER):
                            wrong.append((call.function, argument, value, size, code))
    assert tried > 500
    assert not wrong


@pytest.mark.parametrize("setting", ["request.headers", "request.jwt.claims", "response.headers"])
def test_no_setting_of_whatever_size_takes_long(world, setting):
    with closing(world.db.connect(world.users["web"])) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        for value in LARGE["jsonb"]:
            cursor.execute("SET statement_timeout = '5s'")
            cursor.execute("""SELECT set_config('request.headers', '{"x-trace-id": "t"}', true)""")
            cursor.execute(f"SELECT set_config('{setting}', {value.format(8_000_000)}::text, true)")
            cursor.execute("SET LOCAL statement_timeout = '1s'")
            assert outcome(connection, "checkout.pre_request()") in ("22023", "PT401", "00000"), value


@pytest.mark.parametrize("text", ["eyJ-", "sk_live_", "eyJ-.", "whsec_/"])
def test_a_message_of_whatever_length_is_logged_at_once(world, text):
    # The processing of a message cannot be interrupted: if it were quadratic, this would take an hour.
    with closing(world.db.connect(world.users["web"])) as connection:
        connection.autocommit = False
        assert outcome(connection, f"CAST(repeat('{text}', 2000000) AS uuid)") == "22P02"
        assert outcome(connection, f"checkout.public_checkout_session(repeat('{text}', 200000)::uuid, 'x')") == "22P02"


def test_where_memory_is_short_nothing_aborts(new_server):
    """As under vm.overcommit_memory = 2: where Postgres itself survives with an error, the functions survive, too."""
    server = new_server("shared_buffers=32MB")
    world = World(server.create_database())
    postmaster = (server.data / "postmaster.pid").read_text().split()[0]
    run(*AS_SERVER_USER, "prlimit", f"--pid={postmaster}", f"--as={400 * 1024 * 1024}")
    types, codes = world.argument_types(), set()
    for who, user in world.users.items():
        with closing(world.db.connect(user)) as connection:
            connection.autocommit = False
            for call in [call for call in world.calls() if call.who == who]:
                for argument, of_type in types.get(call.function, {}).items():
                    for value in LARGE.get(of_type, []):
                        codes.add(outcome(connection, call.sql(**{argument: value.format(20_000_000)}), call.arguments))
    # The server reports this itself if it has no memory for the argument.
    assert None not in codes
    assert postmaster == (server.data / "postmaster.pid").read_text().split()[0]


def memory(cursor):
    """The bytes in the backend's memory contexts, and those of the process besides shared memory."""
    cursor.execute("SELECT sum(total_bytes)::bigint AS bytes, pg_backend_pid() AS pid FROM pg_backend_memory_contexts")
    row = cursor.fetchone()
    cursor.connection.rollback()
    with open(f"/proc/{row['pid']}/smaps_rollup") as smaps:
        own = sum(int(line.split()[1]) for line in smaps if line.startswith("Anonymous:"))
    return row["bytes"], own * 1024


def is_growth(grown):
    return grown[0] > 50_000 or grown[1] > 1_000_000


def test_no_function_keeps_memory_from_call_to_call(world):
    kept = {}
    for who, user in world.users.items():
        with closing(world.db.connect(user)) as connection, connection.cursor() as cursor:
            connection.autocommit = False
            if user != "postgres":
                world.db.sql(f"GRANT EXECUTE ON FUNCTION pg_get_backend_memory_contexts() TO {user}")
                world.db.sql(f"GRANT SELECT ON pg_backend_memory_contexts TO {user}")
            for call in [call for call in world.calls() if call.who == who]:
                refused = dict.fromkeys(call.arguments)
                # The first round loads and plans. A later one may plan, too: run_maintenance does if it, and not the worker,
                # writes down what was refused. What is kept from call to call is kept in every round.
                for round_ in range(4):
                    before = memory(cursor)
                    for _ in range(CALLS):
                        outcome(connection, call.sql(), call.arguments)
                        outcome(connection, call.sql(), refused)
                    after = memory(cursor)
                    grown = kept[call.function] = (after[0] - before[0], after[1] - before[1])
                    if round_ and not is_growth(grown):
                        break
    world.db.sql("REVOKE EXECUTE ON FUNCTION pg_get_backend_memory_contexts() FROM " + ", ".join(
        user for user in world.users.values() if user != "postgres"))
    assert {name: grown for name, grown in kept.items() if is_growth(grown)} == {}


def test_lists_of_all_kinds_keep_few_plans(world):
    texts = ["customer_id", "customer_email", "reference", "payment_id"]
    times = ["created_after => now() - interval '1 day'", "created_before => now()"]
    with closing(world.db.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("SELECT set_config('checkout_sessions.organization_id', %s, false)", (world.db.organization_id,))
        connection.commit()
        grown = []
        for round_ in range(2):
            for size in (1, 7, 20, 50, 99, 100):
                for given in itertools.product((False, True), repeat=len(texts) + len(times) + 2):
                    filters = [f"{name} => 'x'" for name, is_given in zip(texts, given) if is_given]
                    filters += [filter_ for filter_, is_given in zip(times, given[4:]) if is_given]
                    filters += ["status => 'open'"] if given[6] else []
                    filters += ["page_offset => 1"] if given[7] else []
                    arguments = ", ".join([f"page_size => {size}", *filters])
                    cursor.execute(f"SELECT count(*) FROM checkout.list_checkout_sessions({arguments})")
            grown.append(memory(cursor))
    # A plan takes some 50 kB, and there would be more than a thousand.
    assert grown[1][0] < 30_000_000
    assert grown[1][0] - grown[0][0] < 1_000_000
    assert grown[1][1] - grown[0][1] < 3_000_000
