"""Dumps of a database, and databases made from them; plain text, or pg_dump's own form."""

from conftest import run


def dump(db, form, file):
    run(db.server.bin / "pg_dump", *db.server.at(), f"--format={form}", f"--file={file}", db.name)


def restore(server, name, form, file):
    """Makes a database from a dump."""
    server.database().sql(f"CREATE DATABASE {name}")
    db = server.database(name)
    if form == "plain":
        db.psql(f"--file={file}")
    else:
        run(server.bin / "pg_restore", *server.at(), f"--dbname={name}", "--exit-on-error", file)
    return db
