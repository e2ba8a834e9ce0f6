"""The five dialects are served as documented: one test for each line of docs/dialects/conformance.md.

The lines and their checks are in dialects/, one or two modules for each dialect.
"""

from importlib import import_module

import pytest

from dialects import checklist, rows, write
from dialects.shop import Market, Shop

for name in write.MODULES:
    import_module(f"dialects.{name}")
TESTS = rows.tests()


@pytest.fixture(scope="module")
def market(shared_server):
    market = Market(shared_server.create_database())
    yield market
    # The tests make time pass without telling the worker.
    market.admin("SELECT checkout.expire_due_checkout_sessions()")
    market.close()
    try:
        shared_server.check()
    finally:
        market.remove()


@pytest.mark.parametrize("test", TESTS)
def test_documented(market, test):
    row = TESTS[test]
    row.check(Shop(market, row.dialect), *row.arguments)


def test_two_rows_of_one_name_are_one_test():
    for row in rows.ROWS:
        other = TESTS[row.test]
        assert (other.check, other.arguments) == (row.check, row.arguments), row.test


def test_every_name_in_the_documents_has_a_row():
    assert checklist.missing(rows.ROWS) == []


def test_table_in_the_docs_is_what_the_tests_say():
    assert write.TABLE.read_text() == write.table(), "run python3 tests/server/dialects/write.py"
