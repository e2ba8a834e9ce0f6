"""The outcomes of calls."""

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
    """The rows of a query, or the SQLSTATE of its refusal."""
    try:
        cursor.execute(query, parameters or None)
        return cursor.fetchall()
    except psycopg2.Error as error:
        return error.pgcode


def refusal(function, *arguments, **named):
    """The SQLSTATE with which a function's query is refused."""
    try:
        function(*arguments, **named)
    except psycopg2.Error as error:
        return error.pgcode
    raise AssertionError("it was not refused")
