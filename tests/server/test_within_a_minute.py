"""Work that the launcher was not told of: it finds it when it looks, once a minute. The minute runs from the first test
on.
"""

from conftest import wait_until


def test_database_made_from_a_template_is_found_and_left_alone_until_it_is_activated(minute):
    copy, source = minute["copy"], minute["source"]
    wait_until(lambda: source.expired_count() == 1, within=65)
    assert (copy.expired_count(), copy.worker()["state"]) == (0, "inactive")
    copy.sql("SELECT checkout.activate_database()")
    wait_until(lambda: copy.expired_count() == 1)
    copy.expires_on_time()


def test_session_of_a_prepared_transaction_is_found(minute):
    prepared = minute["prepared"]
    wait_until(lambda: prepared.expired_count() == 1, within=65)


def test_session_stored_past_the_functions_is_found(minute):
    source = minute["source"]
    wait_until(lambda: source.expired_count() == 1, within=65)


def test_use_of_an_api_key_is_written_down(minute):
    used = minute["used"]
    wait_until(lambda: used.value("SELECT last_used_at FROM checkout.list_api_keys()"), within=65)
