"""Dumps of a database, and databases made from them; plain text, or pg_dump's own form."""

from conftest import run


def dump(db, form, file, *options):
    run(db.server.bin / "pg_dump", *db.server.at(), f"--format={form}", f"--file={file}", *options, db.name)


def restore_roles(old, new):
    roles = run(old.bin / "pg_dumpall", *old.at(), "--roles-only")
    run(new.bin / "psql", *new.at(), "--dbname=postgres", "--quiet", input=roles)


def restore(server, name, form, file, *options, installed=False, version=None):
    """Makes a database from a dump. With `installed` the extension is there before, or a `version` of it."""
    server.database().sql(f"CREATE DATABASE {name}")
    db = server.database(name)
    if installed:
        db.sql("CREATE EXTENSION checkout_sessions")
    if version:
        db.sql(f"CREATE EXTENSION checkout_sessions VERSION '{version}'")
    if form == "plain":
        db.psql(f"--file={file}")
    else:
        run(server.bin / "pg_restore", *server.at(), f"--dbname={name}", "--exit-on-error", *options, file)
    return db


def all_rows(db, without=()):
    """What every table of the extension contains, in short, without some columns."""
    tables = db.sql("SELECT c.oid::regclass AS name FROM pg_extension e JOIN pg_class c ON c.oid = ANY (e.extconfig)")
    return {
        table["name"]: db.value(
            f"""SELECT concat(count(*), ' ', md5(string_agg(r.row::text, ',' ORDER BY r.row::text)))
                FROM (SELECT to_jsonb(t) - %s::text[] AS row FROM {table["name"]} AS t) AS r""", list(without))
        for table in tables
    }
