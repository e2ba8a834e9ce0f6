"""Shared fixtures of the gateway's tests: a server, the gateway in front of it, and organizations."""

from types import SimpleNamespace

import pytest

from conftest import private_server
from support.gateway import BASE_URL, EXAMPLE, Gateway, Shop


@pytest.fixture(scope="module")
def world():
    with private_server("py-gateway", "log_statement=all") as server:
        db = server.database()
        db.install()
        findings = db.psql("--tuples-only", f"--file={EXAMPLE / 'setup.sql'}")
        assert not findings, "the security report has findings"
        db.sql("CREATE ROLE stranger LOGIN; CREATE ROLE backend LOGIN")
        db.sql("SELECT checkout.grant_access('backend', 'secret')")
        db.sql("GRANT SET ON PARAMETER checkout_sessions.organization_id, checkout_sessions.environment TO backend")
        yield SimpleNamespace(server=server, db=db, keys=[])


@pytest.fixture(scope="module")
def gateway(world):
    """A gateway that serves all five. At the end it must have answered every request, and logged no key."""
    with Gateway(world.db) as gateway:
        yield gateway
        assert gateway.stop() == 0
        log = gateway.log()
        assert '"status":5' not in log.replace('"status":503', "").replace('"status":599', "")
        assert world.keys and not [key for key in world.keys if key in log or key in world.server.log()]


@pytest.fixture
def shop(world):
    return make_shop(world)


@pytest.fixture
def other(world):
    return make_shop(world)


def make_shop(world, base_url=BASE_URL, **settings):
    shop = Shop(world.db, base_url=base_url, **settings)
    world.keys += [shop.live, shop.test]
    return shop
