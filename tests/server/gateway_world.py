"""What the tests of the gateway share: a server, the gateway before it, and organizations. They import its fixtures."""

from types import SimpleNamespace

import pytest

from conftest import Server, run
from gateway import BASE_URL, EXAMPLE, Gateway, Shop


@pytest.fixture(scope="module")
def world():
    server = Server("py-gateway")
    server.remove()
    server.start("log_statement=all")
    try:
        db = server.database()
        db.install()
        psql = (server.bin / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--set=ON_ERROR_STOP=1")
        uri = f"host={server.dir} port=54321 dbname={db.name} user=postgres"
        assert not run(*psql, f"--file={EXAMPLE / 'setup.sql'}", uri), "the security report has findings"
        db.sql("CREATE ROLE stranger LOGIN; CREATE ROLE backend LOGIN")
        db.sql("SELECT checkout.grant_access('backend', 'secret')")
        db.sql("GRANT SET ON PARAMETER checkout_sessions.organization_id, checkout_sessions.environment TO backend")
        yield SimpleNamespace(server=server, db=db, keys=[])
        server.check()
    finally:
        server.remove()


@pytest.fixture(scope="module")
def gateway(world):
    """Serves all five. In the end it has answered everything, and logged no key."""
    with Gateway(world.db) as gateway:
        yield gateway
        assert gateway.stop() == 0
        log = gateway.log()
        assert '"statusCode":5' not in log.replace('"statusCode":503', "").replace('"statusCode":599', "")
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
