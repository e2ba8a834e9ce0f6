"""Subscriptions: the calendar beside a second implementation, races for a period, and the worker on time."""

import calendar
import random
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from conftest import ROOT, wait_until

# Summer times of an hour and of half an hour, at midnight and at noon, a day that was left out, and none.
ZONES = ["UTC", "Africa/Dakar", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Asia/Tehran",
         "Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca", "America/St_Johns", "Pacific/Chatham"]
UNITS = {"day": 3650, "week": 520, "month": 120, "year": 10}


def boundary(anchor, zone, unit, count, periods):
    """The same as checkout_data.period_boundary(), without Postgres."""
    local, number = anchor.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0), count * periods
    if unit in ("day", "week"):
        local += timedelta(days=number * (7 if unit == "week" else 1))
    else:
        months = local.year * 12 + local.month - 1 + number * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        local = local.replace(year=year, month=month + 1, day=min(local.day, calendar.monthrange(year, month + 1)[1]))
    first, second = (local.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    # A time that the clocks leave out is as much later; of a time that they show twice it is the second.
    return (second if first.utcoffset() > second.utcoffset() else first).astimezone(timezone.utc)


def zones_known_alike(db):
    """The zones of which the server has the same data as Python: some releases bring their own, and those that are foretold
    for the years of Ramadan differ.
    """
    start = datetime(1995, 1, 1, tzinfo=timezone.utc)
    times = [start + timedelta(days=days) for days in range(0, 155 * 366, 5)]
    shown = "SELECT array_agg(at AT TIME ZONE %s ORDER BY at) FROM unnest(%s::timestamptz[]) AS at"
    alike = [zone for zone in ZONES
             if db.value(shown, zone, times) == [at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in times]]
    assert set(ZONES) - set(alike) <= {"Africa/Casablanca"}
    return alike


def test_periods_are_those_of_another_calendar(server):
    db = server.create_database()
    zones = zones_known_alike(db)
    dice = random.Random(17)
    start = datetime(1995, 1, 1, tzinfo=timezone.utc)
    cases = []
    for _ in range(100_000):
        unit = dice.choice(list(UNITS))
        count = dice.choice([1, 1, 1, 2, 3, dice.randint(1, UNITS[unit])])
        anchor = start + timedelta(seconds=dice.randrange(30 * 366 * 86400), microseconds=dice.randrange(10**6))
        if dice.random() < 0.3:  # about where days end, and where clocks change
            anchor = anchor.replace(hour=dice.choice([0, 1, 2, 3, 22, 23]), minute=dice.choice([0, 29, 30, 59]))
        if dice.random() < 0.2:
            anchor = anchor.replace(day=calendar.monthrange(anchor.year, anchor.month)[1])
        cases.append((anchor, dice.choice(zones), unit, count, dice.randint(1, max(1, 120 // count))))
    rows = db.sql(
        """SELECT checkout_data.period_boundary(anchor, zone, checkout_data.period_span(unit, count, periods)) AS at
           FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::integer[], %s::integer[]) WITH ORDINALITY
               AS c (anchor, zone, unit, count, periods, n) ORDER BY n""",
        *[list(column) for column in zip(*cases)])
    wrong = [(case, row["at"], boundary(*case)) for case, row in zip(cases, rows) if row["at"] != boundary(*case)]
    assert len(rows) == len(cases) and not wrong, wrong[:5]


def test_the_examples_of_the_page_run(server):
    db = server.create_database(uses_catalog=True)
    page = (ROOT / "docs/subscriptions.md").read_text()
    examples = re.findall(r"^```sql\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    settings = [example for example in examples if "update_organization" in example]
    assert (len(examples), len(settings)) == (4, 1)
    db.psql(input=settings[0].replace("...", str(db.organization_id)), text=True)
    run = "\n".join(example for example in examples if example not in settings)
    answers = db.psql("--tuples-only", "--no-align", input=run, text=True, user=db.shop).splitlines()
    assert answers.count("succeeded") == 2
    assert "active|1|12.50" in answers


@pytest.fixture
def club(server):
    """An organization with a price that recurs, and a customer who has paid for a month."""
    db = server.create_database(uses_catalog=True)
    db.call("create_product", name="Club", product_id="club")
    db.call("create_price", product_id="club", currency_code="EUR", amount=9, price_id="monthly", interval_unit="month")
    db.subscription = subscribe(db, "anna")
    return db


def subscribe(db, customer):
    session = db.call("create_checkout_session", price_id="monthly", customer_id=customer)[0]
    db.call("record_payment", checkout_session_id=session["checkout_session_id"], payment_id=f"{customer}-1", outcome="succeeded")
    return session["subscription_id"]


def paid(db):
    return db.call("get_subscription", subscription_id=db.subscription)[0]["periods_paid"]


def all_at_once(tasks):
    with ThreadPoolExecutor(len(tasks)) as threads:
        return [future.result() for future in [threads.submit(task) for task in tasks]]


def test_of_many_that_renew_at_once_all_get_one_session(club):
    for _ in range(10):
        renewals = all_at_once([lambda: club.call("create_checkout_session", subscription_id=club.subscription)[0]] * 8)
        assert len({renewal["checkout_session_id"] for renewal in renewals}) == 1
        assert sorted(renewal["idempotent_replay"] for renewal in renewals) == [False] + [True] * 7
        club.call("expire_checkout_session", checkout_session_id=renewals[0]["checkout_session_id"])
    assert paid(club) == 1


def test_a_period_is_sold_once_even_if_two_sessions_sell_it(club):
    for round_number in range(10):
        sessions = []
        for _ in range(2):
            renewal = club.call("create_checkout_session", subscription_id=club.subscription)[0]
            sessions.append(renewal["checkout_session_id"])
            # As if the row had not kept the second from being created.
            club.sql("UPDATE checkout_data.open_sessions SET renews = NULL WHERE checkout_session_id = %s", sessions[-1])
        payments = all_at_once([
            lambda session=session: club.call("record_payment", checkout_session_id=session, payment_id=str(session), outcome="succeeded")[0]
            for session in sessions])
        assert sorted((row["status"], row["rejection_reason"] or "") for row in payments) == [
            ("rejected", "already_renewed"), ("succeeded", "")]
        assert paid(club) == 2 + round_number
        club.sql(
            """UPDATE checkout_data.open_sessions o SET renews = p.subscription_id FROM checkout_data.session_periods p
               WHERE p.checkout_session_id = o.checkout_session_id""")
        for row in payments:
            if row["status"] == "rejected":
                club.call("expire_checkout_session", checkout_session_id=row["checkout_session_id"])


def test_of_many_payments_of_a_renewal_one_pays(club):
    renewal = club.call("create_checkout_session", subscription_id=club.subscription)[0]["checkout_session_id"]
    reports = [
        lambda n=n: club.call("record_payment", checkout_session_id=renewal, payment_id=f"p{n}", outcome="succeeded")[0]["status"]
        for n in range(8)]
    assert sorted(all_at_once(reports)) == ["rejected"] * 7 + ["succeeded"]
    assert paid(club) == 2


def test_who_pays_and_who_cancels_agree(club):
    """Cancelled before it is paid, the money is rejected and kept; after it, the paid period runs to its end."""
    seen = set()
    for n in range(20):
        club.subscription = subscribe(club, f"member-{n}")
        renewal = club.call("create_checkout_session", subscription_id=club.subscription)[0]["checkout_session_id"]
        payment, _ = all_at_once([
            lambda: club.call("record_payment", checkout_session_id=renewal, payment_id=f"r{n}", outcome="succeeded")[0],
            lambda: club.call("cancel_subscription", subscription_id=club.subscription)])
        subscription = club.call("get_subscription", subscription_id=club.subscription)[0]
        assert subscription["cancel_at_period_end"]
        assert subscription["periods_paid"] == (2 if payment["status"] == "succeeded" else 1)
        seen.add((payment["status"], payment["rejection_reason"]))
    assert seen <= {("succeeded", None), ("rejected", "session_expired"), ("rejected", "subscription_canceled")}


def test_the_worker_tells_on_time_what_the_clock_brings(server):
    db = server.create_database(uses_catalog=True, renewal_grace_period="1 second")
    db.call("create_product", name="Club", product_id="club")
    db.call("create_price", product_id="club", currency_code="EUR", amount=9, price_id="monthly", interval_unit="month",
            trial_period="2 seconds")
    session = db.call("create_checkout_session", price_id="monthly", customer_id="anna")[0]
    db.call("complete_free_checkout_session", checkout_session_id=session["checkout_session_id"])
    subscription = db.call("get_subscription", subscription_id=session["subscription_id"])[0]
    assert (subscription["status"], subscription["ends_at"]) == ("trialing", subscription["trial_end"] + timedelta(seconds=1))

    def told():
        events = db.sql("SELECT event_type, created_at FROM checkout_data.webhook_outbox WHERE subject_id = %s ORDER BY sequence",
                        session["subscription_id"])
        return len(events) == 3 and events

    _, past_due, ended = wait_until(told, within=15)
    assert [past_due["event_type"], ended["event_type"]] == ["subscription.past_due", "subscription.ended"]
    assert past_due["created_at"] >= subscription["trial_end"] and ended["created_at"] >= subscription["ends_at"]
    assert db.call("get_subscription", subscription_id=session["subscription_id"])[0]["status"] == "ended"
