"""The dashboard's list of sessions: filters, pages, searches and the export, compared with the database."""

import csv
import json

import pytest

from support.dashboard_world import dashboard, open_dashboard, world  # noqa: F401: fixtures


def shown_ids(dashboard):
    """The sessions of the list, by their links."""
    links = dashboard.page.eval_on_selector_all("a.cover", "all => all.map(a => a.hash)")
    return [link.removeprefix("#/sessions/") for link in links]


def stored_ids(world, condition="true", *parameters, order="DESC"):
    rows = world.db.sql(f"SELECT checkout_session_id::text AS id FROM checkout.checkout_sessions WHERE {condition}"
                        f" ORDER BY checkout_session_id {order}", *parameters, user=world.db.shop)
    return [row["id"] for row in rows]


@pytest.mark.parametrize("filters, condition", [
    ("status=open", "status = 'open'"), ("status=failed", "status = 'failed'"),
    ("status=expired", "status = 'expired'"), ("reference=late-1", "reference = 'late-1'"),
    ("email=li.wei@mail.example", "customer_email = 'li.wei@mail.example'"),
    ("currency=jpy", "currency_code = 'JPY'"), ("least=60&most=70", "amount BETWEEN 60 AND 70"),
    ("key=order_id&value=A-17", "metadata ->> 'order_id' = 'A-17'"), ("key=order_id", "metadata ? 'order_id'"),
    ("key=nothing", "false"),
    ("status=complete&currency=JPY", "status = 'complete' AND currency_code = 'JPY'"),
    ("status=open&email=nobody@mail.example", "false"),
])
def test_filters_find_what_the_database_finds(world, dashboard, filters, condition):
    dashboard.go(f"sessions?{filters}")
    expected = stored_ids(world, condition)
    assert shown_ids(dashboard) == expected[:25]
    assert f"{len(expected)} session" in dashboard.text(".total")
    if not expected:
        assert "No session matches" in dashboard.text()


def test_a_day_is_one_of_the_browsers_zone(world, dashboard):
    day = world.db.value("SELECT (now() AT TIME ZONE 'Europe/Paris' - interval '2 days')::date::text")
    dashboard.go(f"sessions?from={day}&to={day}")
    assert shown_ids(dashboard) == stored_ids(
        world, "(created_at AT TIME ZONE 'Europe/Paris')::date = %s", day)[:25]


def test_an_id_is_found_and_half_an_id_is_explained(world, dashboard):
    dashboard.go(f"sessions?id={world.shop.sold}")
    assert shown_ids(dashboard) == [str(world.shop.sold)]
    dashboard.go("sessions?id=01912345")
    assert "Copy the whole of it" in dashboard.text("[role=alert]")


def test_pages_go_on_and_back_and_end(world, dashboard):
    dashboard.go("sessions")
    pages = []
    while True:
        pages.append(shown_ids(dashboard))
        following = dashboard.page.locator(".pages >> text=Next")
        if following.count() == 0:
            break
        following.click()
        dashboard.settle()
    assert sum(pages, []) == stored_ids(world)
    dashboard.page.click(".pages >> text=Previous")
    dashboard.settle()
    assert shown_ids(dashboard) == pages[-2]
    dashboard.page.go_back()
    dashboard.settle()
    assert shown_ids(dashboard) == pages[-1]
    dashboard.page.reload()
    dashboard.page.wait_for_selector("a.cover")
    assert shown_ids(dashboard) == pages[-1]


def test_the_oldest_come_first_if_one_wants(world, dashboard):
    dashboard.go("sessions")
    dashboard.page.click("text=Oldest first")
    dashboard.settle()
    assert shown_ids(dashboard) == stored_ids(world, order="ASC")[:25]
    dashboard.page.click(".pages >> text=Next")
    dashboard.settle()
    assert shown_ids(dashboard) == stored_ids(world, order="ASC")[25:50]


def test_a_form_writes_the_address(world, dashboard):
    dashboard.go("sessions")
    dashboard.page.select_option("select[name=status]", "expired")
    dashboard.settle()
    dashboard.page.fill("input[name=email]", "sofia.rossi@mail.example")
    dashboard.page.keyboard.press("Enter")
    dashboard.settle()
    assert dashboard.page.url.endswith("#/sessions?status=expired&email=sofia.rossi%40mail.example")
    assert shown_ids(dashboard) == stored_ids(
        world, "status = 'expired' AND customer_email = 'sofia.rossi@mail.example'")
    dashboard.page.click("text=Clear")
    dashboard.settle()
    assert dashboard.page.input_value("input[name=email]") == "" and len(shown_ids(dashboard)) == 25


def test_a_search_without_an_index_stops_and_can_go_on(world, open_dashboard):
    """As with a million sessions, but with smaller limits."""
    dashboard = open_dashboard(limits={"SEARCHED = 20_000": "SEARCHED = 40", "COUNTED = 10_000": "COUNTED = 30"})
    dashboard.sign_in(world.keys.restricted).go("sessions?currency=JPY")
    everything = stored_ids(world)
    jpy = set(stored_ids(world, "currency_code = 'JPY'"))
    found = shown_ids(dashboard)
    assert found == [id_ for id_ in everything[:40] if id_ in jpy]
    assert f"{len(found)} sessions" in dashboard.text(".total")
    dashboard.page.click("text=Search on from there")
    dashboard.settle()
    assert shown_ids(dashboard) == [id_ for id_ in everything[40:80] if id_ in jpy]
    dashboard.go("sessions")
    assert "30+ sessions" in dashboard.text(".total") and "Search on" not in dashboard.text()


def test_the_export_has_every_session_and_no_formula(world, dashboard):
    dashboard.go("sessions")
    with dashboard.page.expect_download() as download:
        dashboard.page.click("text=Export CSV")
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["checkout_session_id"] for row in rows] == stored_ids(world)
    assert all(json.loads(row["metadata"]) for row in rows)
    dashboard.page.wait_for_selector(f"text={len(rows)} sessions exported.")


def test_a_formula_is_exported_as_text(world, dashboard):
    made = dashboard.page.evaluate(
        """import('/pages/dashboard/csv.js').then(({ csv }) =>
            csv(['a', 'b'], [{ a: '=1+1', b: -2 }, { a: 'x,"y"', b: null }]))""")
    assert made == "a,b\r\n'=1+1,-2\r\n\"x,\"\"y\"\"\",\r\n"
