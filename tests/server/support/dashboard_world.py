"""Shared fixtures of the dashboard's tests: a shop of a week, the page in front of it, and a browser."""

from types import SimpleNamespace

import pytest

from conftest import private_server
from support.browser import chromium
from support.dashboard import Dashboard
from support.dashboard_site import DashboardSite
from support.postgrest import EXAMPLE, PostgREST, token
from support.shop import Shop


def refuse_calls(db):
    """As a program makes them that has lost the ids of its sessions, and knows no currencies."""
    for call in ["get_checkout_session(gen_random_uuid())"] * 12 + ["create_checkout_session(9, 'EURO', customer_id => 'c')"] * 5:
        db.sql(f"DO $$ BEGIN PERFORM checkout.{call}; EXCEPTION WHEN OTHERS THEN NULL; END $$", user=db.shop)
    db.sql("SELECT checkout.run_maintenance()")


@pytest.fixture(scope="module")
def world():
    """A shop of a week, an empty one, and who may look at them."""
    with private_server("py-dashboard") as server:
        db = server.create_database(uses_catalog=True)
        db.psql(f"--file={EXAMPLE / 'roles.sql'}")
        db.sql("CREATE ROLE manager NOLOGIN; GRANT manager TO authenticator;"
               "SELECT checkout.grant_access('manager', 'request'), checkout.grant_access('manager', 'admin')")
        # Before there is anything that maintenance would count.
        refuse_calls(db)
        shop = Shop(db)
        empty = db.value("SELECT checkout.create_organization('New shop')")
        empty_key = db.value("SELECT api_key FROM checkout.create_api_key(%s, 'restricted', 'test')", empty)
        claims = {"organization_id": str(db.organization_id)}
        keys = SimpleNamespace(
            restricted=db.create_api_key("restricted"), secret=db.create_api_key("secret"),
            publishable=db.create_api_key("publishable"), empty=empty_key,
            member=token(role="member", **claims), manager=token(role="manager", **claims))
        with PostgREST(db, db_pool=4) as postgrest, DashboardSite(postgrest) as host, chromium() as browser:
            yield SimpleNamespace(db=db, shop=shop, keys=keys, host=host, browser=browser, postgrest=postgrest)


@pytest.fixture
def open_dashboard(world):
    """Opens the page in a window of its own. At the end nothing may have gone wrong in it."""
    opened = []

    def make(host=world.host, **options):
        opened.append(Dashboard(world.browser, host, **options))
        return opened[-1]

    yield make
    for dashboard in opened:
        dashboard.close()


@pytest.fixture
def dashboard(world, open_dashboard):
    return open_dashboard().sign_in(world.keys.restricted)
