"""Keys and client secrets are in no log, statistics, error or dump, however they are sent and whatever is logged."""

import json
import os
import signal
import socket
import struct
from contextlib import closing

import psycopg2
import pytest
from conftest import numbers, private_server, run, wait_until
from support.machine import IS_DEBIAN

# All logging that a server can be told to do.
TALKATIVE = [
    "logging_collector=on",
    "log_destination=stderr,csvlog,jsonlog",
    "log_directory=log",
    "log_statement=all",
    "log_duration=on",
    "log_min_duration_statement=0",
    "log_error_verbosity=verbose",
    "log_min_messages=debug1",
    "log_min_error_statement=debug5",
    "log_parameter_max_length=-1",
    "log_parameter_max_length_on_error=-1",
    "log_lock_waits=on",
    "deadlock_timeout=50ms",
    "auto_explain.log_min_duration=0",
    "auto_explain.log_analyze=on",
    "auto_explain.log_verbose=on",
    "auto_explain.log_nested_statements=on",
    "pg_stat_statements.track=all",
    "pg_stat_statements.track_utility=on",
    "pg_stat_statements.max=100000",  # the statements of CREATE EXTENSION fill the 5,000 of the default
    "checkout_sessions.worker_enabled=off",
    "restart_after_crash=on",
]
# What else sees statements.
CONTRIB = ["pg_stat_statements", "auto_explain"] if IS_DEBIAN else []
PRELOADED = f"shared_preload_libraries={','.join(['checkout_sessions', *CONTRIB])}"
# {secret} stands for the secret itself, {call} for a call that takes it, {parameter} for the same with $1 for it.
WAYS = {
    "a literal": "SELECT {call}",
    "a literal in a longer statement": "WITH a AS (SELECT 1) SELECT r FROM a, LATERAL (SELECT {call} AS r) AS b",
    "a comment": "SELECT 1 /* {secret} */ -- {secret}",
    "a prepared statement": "PREPARE p (text) AS SELECT {parameter}; EXECUTE p('{secret}'); DEALLOCATE p",
    "headers": "BEGIN; SELECT set_config('request.headers', '{headers}', true); SELECT checkout.pre_request(); COMMIT",
    "a bearer": "BEGIN; SELECT set_config('request.headers', '{bearer}', true); SELECT checkout.pre_request(); COMMIT",
    "a failing statement": "SELECT {call}, 1/0",
    "a statement with a fault in it": "SELECT {call} FORM nowhere",
    "a statement on nothing": "SELECT {call} FROM nowhere",
    "a failing cast": "SELECT CAST('{secret}' AS integer)",
    "a wrong argument": "SELECT checkout.get_checkout_session('{secret}')",
    "the name of a key": "SELECT checkout.get_checkout_session('{secret}'::text::uuid)",
    "a constraint": "CREATE TEMP TABLE t (t text CHECK (length(t) < 9)); INSERT INTO t VALUES ('{secret}')",
    "a unique index": "CREATE TEMP TABLE u (t text UNIQUE); INSERT INTO u VALUES ('{secret}'), ('{secret}')",
    "RAISE": "DO $$ BEGIN RAISE 'it was {secret}' USING DETAIL = '{secret}', HINT = '{secret}'; END $$",
    "a NOTICE": "DO $$ BEGIN RAISE LOG 'it was {secret}'; RAISE WARNING '{secret}'; END $$",
    "a DO block": "DO $$ BEGIN PERFORM {call}; END $$",
    "a failing DO block": "DO $$ BEGIN PERFORM {call}; PERFORM 1/0; END $$",
    "dynamic SQL": "DO $$ BEGIN EXECUTE 'SELECT length($1), 1/0' USING '{secret}'; END $$",
    "SET": "SET own.key = '{secret}'",
    "a function's body": (
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS $$ SELECT length('{secret}') $$; SELECT pg_temp.f()"
    ),
    "a procedure": (
        "CREATE PROCEDURE pg_temp.p(k text) LANGUAGE plpgsql AS $$ BEGIN PERFORM {parameter}; END $$; CALL"
        " pg_temp.p('{secret}')"
    ),
    "COPY": "COPY (SELECT length('{secret}')) TO '/dev/null'",
    "EXPLAIN": "EXPLAIN (ANALYZE, VERBOSE) SELECT {call}",
    "a cursor": "BEGIN; DECLARE c CURSOR FOR SELECT {call}; FETCH c; COMMIT",
    "CREATE TABLE AS": "CREATE TEMP TABLE a AS SELECT count(*) FROM {call}",
    "a line by itself": "SELECT\n{call}\n;",
    "a timeout": "SET statement_timeout = 20; SELECT pg_sleep(1), '{secret}'",
}
# Texts that Postgres 15 keeps in pg_stat_statements as they were sent: comments, and statements that are not planned
# themselves. It does not keep statements that fail. Later majors keep fewer texts.
KEPT_AS_SENT = {
    "a comment",
    "a DO block",
    "a NOTICE",
    "SET",
    "a function's body",
    "a procedure",
    "COPY",
    "EXPLAIN",
    "a cursor",
    "CREATE TABLE AS",
}
# Where the secret would be in the log only with the statement of an error, which is left out.
ONLY_IN_A_STATEMENT = {"a statement with a fault in it"}
FORMS = [".log", ".csv", ".json"]
ID = 20


class Wire:
    """The extended protocol: a statement, and its parameters apart from it. psycopg2 puts them into the text."""

    def __init__(self, db, user):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(db.server.dir / ".s.PGSQL.54321"))
        startup = struct.pack("!i", 196608) + f"user\0{user}\0database\0{db.name}\0\0".encode()
        self.socket.sendall(struct.pack("!i", len(startup) + 4) + startup)
        self.answer()

    def run(self, statement, *parameters):
        """Runs it. Returns the answer's messages as (type, content)."""
        bind = b"".join(struct.pack("!i", len(text.encode())) + text.encode() for text in parameters)
        self.send(b"P", b"\0" + statement.encode() + b"\0" + struct.pack("!h", 0))
        self.send(b"B", b"\0\0" + struct.pack("!hh", 0, len(parameters)) + bind + struct.pack("!h", 0))
        self.send(b"E", b"\0" + struct.pack("!i", 0))
        self.send(b"S", b"")
        return self.answer()

    def send(self, kind, content):
        self.socket.sendall(kind + struct.pack("!i", len(content) + 4) + content)

    def answer(self):
        messages, reader = [], self.socket.makefile("rb")
        while not messages or messages[-1][0] != b"Z":
            kind, length = struct.unpack("!ci", reader.read(5))
            messages.append((kind, reader.read(length - 4)))
        return messages

    def close(self):
        self.socket.close()


@pytest.fixture(scope="module")
def talkative():
    with private_server("py-talkative", *TALKATIVE, PRELOADED) as server:
        yield server


@pytest.fixture
def db(talkative):
    return with_statistics(talkative.create_database())


def with_statistics(db):
    if CONTRIB:
        db.sql("CREATE EXTENSION pg_stat_statements")
    db.sql(f"GRANT pg_write_server_files TO {db.create_web_role()}")  # for COPY
    return db


def logged(db):
    """Everything that the server has written so far, by format."""
    end = f"read up to here {next(numbers)}"
    db.sql(f"SELECT '{end}'")

    def read():
        files = list((db.server.data / "log").iterdir())
        logs = {
            form: "".join(file.read_text(errors="replace") for file in files if file.suffix == form) for form in FORMS
        }
        return all(end in log for log in logs.values()) and {**logs, "start": db.server.log()}

    return wait_until(read)


def told_to_client(error):
    diagnosis = error.diag
    return [
        diagnosis.message_primary,
        diagnosis.message_detail,
        diagnosis.message_hint,
        diagnosis.context,
        diagnosis.internal_query,
    ]


def sent_in_every_way(db, secrets, calls):
    """Sends a new secret in each of the ways, each for its own call."""
    with closing(db.connect(db.web)) as connection:
        for way, statement in WAYS.items():
            secret, call = secrets[way], calls[way]
            words = {
                "call": call.replace("$1", f"'{secret}'"),
                "parameter": call,
                "secret": secret,
                "headers": json.dumps({"x-api-key": secret}),
                "bearer": json.dumps({"authorization": f"Bearer {secret}"}),
            }
            for part in statement.split("; ") if "$$" not in statement else split_outside_bodies(statement):
                for word, text in words.items():
                    part = part.replace("{" + word + "}", text)
                with connection.cursor() as cursor:
                    try:
                        cursor.execute(part)
                    except psycopg2.Error:
                        pass
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK; RESET ALL; DISCARD TEMP")


def split_outside_bodies(statement):
    pieces = statement.split("$$")
    pieces[1] = pieces[1].replace("; ", ";\n")
    return "$$".join(pieces).split("; ")


def kept(db, secret):
    return bool(CONTRIB and db.sql("SELECT 1 FROM pg_stat_statements WHERE strpos(query, %s) > 0", secret))


def assert_hidden(db, secrets):
    """Checks that none of these texts is in a log, not even its beginning."""
    for name, log in logged(db).items():
        assert [way for way, secret in secrets.items() if secret[:12] in log] == [], f"in {name}"


def assert_kept_as_postgres_does(db, secrets):
    if CONTRIB:
        assert db.value("SELECT dealloc FROM pg_stat_statements_info") == 0, "it has forgotten no statement"
    as_sent = {way for way, secret in secrets.items() if kept(db, secret)}
    if db.value("SELECT current_setting('server_version_num')::int") < 160000:
        assert as_sent == KEPT_AS_SENT
    else:
        assert as_sent <= KEPT_AS_SENT


def test_keys_are_in_no_log_in_whichever_way_they_are_sent(db):
    keys = {way: db.create_api_key() for way in WAYS}
    created = "".join(logged(db).values())
    sent_in_every_way(db, keys, dict.fromkeys(WAYS, "checkout.authenticate($1)"))
    secret_parts = {way: key[ID:] for way, key in keys.items()}
    assert_hidden(db, secret_parts)
    logs = "".join(logged(db).values())
    masked = {way: f"{key[:ID]}***" for way, key in keys.items()}
    assert {
        way for way, name in masked.items() if logs.count(name) == created.count(name)
    } == ONLY_IN_A_STATEMENT, "each way is logged, down to the key's name"
    assert_kept_as_postgres_does(db, secret_parts)


def test_mistyped_keys_are_not_shown_either(db):
    keys = {way: db.create_api_key()[:-1] + "?" for way in WAYS}
    keys["a literal"] = keys["a literal"][:40]
    keys["headers"] += "and more"
    sent_in_every_way(db, keys, dict.fromkeys(WAYS, "checkout.authenticate($1)"))
    assert_hidden(db, {way: key[ID:] for way, key in keys.items()})


def test_client_secrets_are_in_no_log_in_whichever_way_they_are_sent(db):
    created = {
        way: db.call("create_checkout_session", amount=10, currency_code="USD", customer_id="c1")[0] for way in WAYS
    }
    secrets = {way: session["client_secret"] for way, session in created.items()}
    sent_in_every_way(
        db,
        secrets,
        {
            way: f"checkout.public_checkout_session('{session['checkout_session_id']}', $1)"
            for way, session in created.items()
        },
    )
    # All begin with the organization and the environment.
    assert_hidden(db, {way: secret[34:] for way, secret in secrets.items()})
    assert "cs_secret_***" in "".join(logged(db).values())
    assert_kept_as_postgres_does(db, {way: secret[34:] for way, secret in secrets.items()})


def test_parameters_of_the_extended_protocol_are_masked(db):
    keys = [db.create_api_key() for _ in range(4)]
    session = db.call("create_checkout_session", amount=10, currency_code="USD", customer_id="c1")[0]
    with closing(Wire(db, db.web)) as wire:
        assert wire.run("SELECT environment FROM checkout.authenticate($1)", keys[0])[-3][1].endswith(b"live")
        failed = wire.run("SELECT checkout.authenticate($1), 1 / length($2)", keys[1], "")
        assert failed[0][0] == b"1" and b"22012" in b"".join(content for kind, content in failed if kind == b"E")
        wire.run(
            "SELECT set_config('request.headers', $1, true), checkout.pre_request()", json.dumps({"x-api-key": keys[2]})
        )
        refused = wire.run("SELECT checkout.authenticate($1)", keys[3][:-1] + "0")
        assert keys[3][ID:-1].encode() not in b"".join(content for _, content in refused)
        assert any(
            kind == b"D"
            for kind, _ in wire.run(
                "SELECT status FROM checkout.public_checkout_session($1::text::uuid, $2)",
                session["checkout_session_id"],
                session["client_secret"],
            )
        )
    logs = logged(db)
    for key in keys:
        assert any(f"{key[:ID]}***" in log for log in logs.values()), "parameters are logged"
        assert not any(key[ID:-1] in log for log in logs.values())
        assert not kept(db, key[ID:-1])
    assert not any(session["client_secret"][34:] in log for log in logs.values())
    assert not kept(db, session["client_secret"][34:])


def test_our_errors_repeat_no_secret(db):
    key, session = (
        db.create_api_key(),
        db.call("create_checkout_session", amount=10, currency_code="USD", customer_id="c1")[0],
    )
    wrong, secret = key[:-1] + ("0" if key[-1] != "0" else "1"), session["client_secret"]
    unknown = "sk_live_" + key[8:20][::-1] + key[20:]
    errors = []
    for user, statement, *parameters in [
        (db.web, "SELECT checkout.authenticate(%s)", wrong),
        (db.web, "SELECT checkout.authenticate(%s)", key + key),
        (
            db.web,
            "SELECT set_config('request.headers', %s, true), checkout.pre_request()",
            json.dumps({"x-api-key": wrong}),
        ),
        (
            db.web,
            "SELECT set_config('request.headers', %s, true), checkout.pre_request()",
            json.dumps({"x-api-key": wrong, "authorization": f"Bearer {key}"}),
        ),
        (db.web, "SELECT set_config('request.headers', %s, true), checkout.pre_request()", f'{{"x-api-key": "{key}"'),
        (
            db.web,
            "SELECT set_config('request.jwt.claims', %s, true), checkout.pre_request()",
            json.dumps({"organization_id": key}),
        ),
        (db.web, "SELECT checkout.public_checkout_session(%s, %s)", session["checkout_session_id"], secret[:-1]),
        (db.web, "SELECT checkout.public_checkout_session(%s, %s)", session["checkout_session_id"], key),
        ("postgres", "SELECT checkout.revoke_api_key(%s)", unknown),
        ("postgres", "SELECT checkout.roll_api_key(%s)", unknown),
        ("postgres", "SELECT checkout.roll_api_key(%s, overlap => '-1 day')", key),
        ("postgres", "SELECT checkout.ack_webhook_events('jobs', ARRAY[%s], gen_random_uuid())", key),
        ("postgres", "SELECT checkout.create_api_key(%s, %s, 'live')", db.organization_id, key),
    ]:
        with pytest.raises(psycopg2.Error) as refused:
            db.sql(statement, *parameters, user=user)
        errors += filter(None, told_to_client(refused.value))
    told = "\n".join(errors)
    assert key[ID : ID + 12] not in told and secret[34:46] not in told


def test_what_a_killed_process_was_running_is_masked(db):
    key = db.create_api_key()
    with closing(Wire(db, db.web)) as victim:
        victim.send(b"Q", f"SELECT '{key}', pg_sleep(60)\0".encode())
        asleep = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        os.kill(wait_until(lambda: db.sql(asleep))[0]["pid"], signal.SIGKILL)
    wait_until(lambda: has_started_anew(db), within=10)
    assert not any(key[ID:] in log for log in logged(db).values())
    assert f"Failed process was running: SELECT '{key[:ID]}***', pg_sleep(60)" in "".join(logged(db).values())


def has_started_anew(db):
    """True if the server has ended all processes, and accepts connections after that."""
    try:
        has_ended = "all server processes terminated; reinitializing" in "".join(logged(db).values())
        return has_ended and db.value("SELECT true")
    except psycopg2.OperationalError:
        return False


def test_dump_has_no_key_and_no_client_secret(db):
    key, session = (
        db.create_api_key(),
        db.call("create_checkout_session", amount=10, currency_code="USD", customer_id="c1")[0],
    )
    dump = run(db.server.bin / "pg_dump", f"--host={db.server.dir}", "--port=54321", "--username=postgres", db.name)
    assert key[:ID] in dump and str(session["checkout_session_id"]) in dump
    assert key[ID:] not in dump and session["client_secret"][34:] not in dump


def test_without_the_library_preloaded_a_key_in_a_statement_is_logged(new_server):
    """This is why the library must be preloaded. It also proves that the tests above would notice."""
    db = with_statistics(
        new_server(*TALKATIVE, f"shared_preload_libraries={','.join(CONTRIB)}").create_database()
    )
    key = db.create_api_key()
    db.value("SELECT environment FROM checkout.authenticate(%s)", key, user=db.web)
    logs = logged(db)
    assert [form for form in FORMS if key in logs[form]] == FORMS
