"""What becomes of a call."""

import psycopg2


def outcome(connection, call, arguments=None):
    """The SQLSTATE of a call, in a transaction that is rolled back."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"SELECT count(*) FROM {call}", arguments)
            return "00000"
        except psycopg2.Error as error:
            return error.pgcode
        finally:
            connection.rollback()


def answer(cursor, query, *parameters):
    """The rows that a query answers with, or the SQLSTATE that it is refused with."""
    try:
        cursor.execute(query, parameters or None)
        return cursor.fetchall()
    except psycopg2.Error as error:
        return error.pgcode


def refusal(function, *arguments, **named):
    """The SQLSTATE that a function's query is refused with."""
    try:
        function(*arguments, **named)
    except psycopg2.Error as error:
        return error.pgcode
    raise AssertionError("it was not refused")
