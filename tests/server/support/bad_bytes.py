"""Bytes that are no text. Postgres does not check those of a setting that a client gives at its start."""

import os
from contextlib import closing, contextmanager

import psycopg2

SETTING = "current_setting('my.x')"


@contextmanager
def connected(db, user, value=b"x", **options):
    """A connection with a setting of its own, as a client may set it."""
    os.environb[b"PGOPTIONS"] = b"-c my.x=" + value
    try:
        connection = psycopg2.connect(host=str(db.server.dir), port=54321, dbname=db.name, user=user, **options)
    finally:
        del os.environb[b"PGOPTIONS"]
    with closing(connection):
        yield connection


def poison(db, table, column, where, before=""):
    """Writes bytes that are no text into a row, behind a beginning that the column demands."""
    with connected(db, "postgres", b"\xf0abc") as connection, connection.cursor() as cursor:
        cursor.execute(f"UPDATE checkout_data.{table} SET {column} = '{before}' || {SETTING} WHERE {where}")
        assert cursor.rowcount == 1
        connection.commit()
