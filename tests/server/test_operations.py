"""docs/install.md and docs/operations.md are true: their statements run, and their settings do what they say."""

import re
import shutil
import time

import pytest
from conftest import AS_SERVER_USER, ROOT, run, wait_until
from support.relay import ALLOWED, Receiver, Relay, pay, prepare, register
from support.relay import start  # noqa: F401


def blocks(document, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", (ROOT / f"docs/{document}.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def shop(new_server):
    """A database by the name that the documents use."""
    server = new_server(ALLOWED)
    server.database().sql("CREATE DATABASE shop")
    db = server.database("shop")
    db.install()
    return db


@pytest.mark.parametrize("document", ["install", "operations"])
def test_every_statement_runs(shop, document):
    statements = blocks(document, "sql")
    assert statements
    for sql in statements:
        shop.psql(input=sql)


def test_a_copy_for_staging_works_and_sends_nothing(shop, start):  # noqa: F811
    prepare(shop)
    receiver = start(Receiver)
    register(shop, receiver)
    staging, reset = blocks("operations", "sql")[-1], "ALTER DATABASE staging RESET checkout_sessions.deliveries_enabled"
    shop.psql(input=staging)
    copy = shop.server.database("staging")
    copy.organization_id, copy.shop = shop.organization_id, shop.shop
    relay = start(Relay, copy)
    (session,) = pay(copy)
    copy.expires_on_time()
    wait_until(lambda: "started" in relay.log())
    time.sleep(1.5)
    assert receiver.requests == [] and copy.event_types(session) == ["completed"]
    copy.sql(reset)
    wait_until(lambda: len(receiver.requests) == 2, within=10)


def settings(kind, folder, **others):
    """The settings of a block of docs/operations.md, in the form of scripts/server."""
    (block,) = blocks("operations", f"ini {kind}")
    named = dict(line.split(" = ", 1) for line in block.replace("/backup", str(folder)).splitlines())
    named.update(others)
    return [f"{name}={value.strip(chr(39))}" for name, value in named.items()]


def test_a_server_that_was_recovered_to_a_point_in_time_is_quiet_at_first(new_server, start):  # noqa: F811
    source = new_server(ALLOWED)
    backup = source.dir / "backup"
    run(*AS_SERVER_USER, "mkdir", "-p", backup / "wal", cwd="/")
    source.restart(ALLOWED, *settings("source", backup))
    shop = prepare(source.create_database())
    receiver = start(Receiver)
    register(shop, receiver)
    run(*AS_SERVER_USER, source.bin / "pg_basebackup", *source.at()[:2], "--username=postgres", f"--pgdata={backup / 'base'}",
        "--checkpoint=fast", cwd="/")
    before, waits = shop.create(), shop.create("1 second")
    then = shop.value("SELECT clock_timestamp()::text")
    (after,) = pay(shop)
    shop.sql("SELECT pg_switch_wal()")
    wait_until(lambda: not shop.value("SELECT last_failed_time FROM pg_stat_archiver") and any((backup / "wal").iterdir()))
    source.stop()

    target = new_server(start=False)
    run("install", "-d", "-m", "700", *(["-o", "postgres"] if AS_SERVER_USER else []), target.dir)
    run("mv", backup / "base", target.data)
    run(*AS_SERVER_USER, "touch", target.data / "recovery.signal", cwd="/")
    target.start(ALLOWED, *settings("target", backup, recovery_target_time=then))
    copy = target.database(shop.name)
    copy.organization_id = shop.organization_id
    wait_until(lambda: not copy.value("SELECT pg_is_in_recovery()"), within=20)
    relay = start(Relay, copy)
    stored = {row["id"] for row in copy.sql("SELECT checkout_session_id AS id FROM checkout_data.checkout_sessions")}
    assert stored == {before, waits} and after not in stored
    assert copy.sql("SELECT * FROM checkout.verify_restore()") == []
    time.sleep(1.5)
    assert copy.stored_status(waits) == "open" and copy.worker()["state"] == "disabled"
    assert receiver.requests == []

    kept = [setting for setting in target.settings if "_enabled" not in setting]
    target.restart(*kept)
    copy.wait_for(waits, within=10)
    wait_until(lambda: [request.event["type"] for request in receiver.requests] == ["checkout.session.expired"], within=20)
