"""The buyer's page and the dashboard: what the gateway serves, and what it tells browsers with every answer."""

import os
from types import SimpleNamespace

import pytest

from conftest import private_server
from support.gateway import EXAMPLE, Gateway

UNKNOWN = "018f0000-0000-7000-8000-00000000000b"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors "
)
HEADERS = {"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex"}
PAGE, SCRIPT = "<!doctype html><title>Pay</title>", "export const answer = 42;\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A gateway with a folder of pages, in which there is more than it may serve."""
    folder = tmp_path_factory.mktemp("served")
    pages = folder / "pages"
    (pages / "pay").mkdir(parents=True)
    for name, text in (
        ("pay.html", PAGE),
        ("dashboard.html", PAGE),
        ("pay/pay.js", SCRIPT),
        ("pay/a.css", "p{}"),
        ("pay/icon.svg", "<svg/>"),
        (".env", "secret"),
        ("pay/.git", "secret"),
    ):
        (pages / name).write_text(text)
    (folder / "secret").write_text("secret")
    (pages / "out").symlink_to(folder / "secret")
    (pages / "root").symlink_to("/")
    with private_server("py-gateway-headers") as server:
        db = server.create_database()
        db.psql(f"--file={EXAMPLE / 'setup.sql'}")
        session = db.create()
        origins = "{https://shop.example,http://localhost:3000}"
        db.sql("SELECT checkout.update_organization(%s, embedding_origins => %s::text[])", db.organization_id, origins)
        with Gateway(db, f"--pages={pages}") as gateway:
            yield SimpleNamespace(db=db, gateway=gateway, pages=pages, session=session)
            assert '"status":5' not in gateway.log()


def check(answer, frame_ancestors="'none'", caching="no-store"):
    assert answer.headers["Content-Security-Policy"] == POLICY + frame_ancestors
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["Cache-Control"] == caching
    permissions = answer.headers["Permissions-Policy"].split(", ")
    assert "payment=(self)" in permissions and "camera=()" in permissions and "geolocation=()" in permissions
    assert [entry for entry in permissions if not entry.endswith("=()")] == ["payment=(self)"]
    assert answer.headers["X-Request-Id"]
    # Each once: a browser takes the strictest of several policies, a proxy perhaps the last.
    assert len(answer.headers.get_all("Content-Security-Policy")) == 1


@pytest.mark.parametrize("path", ["/dashboard", "/pay/" + UNKNOWN, "/pay/nonsense", "/pages/pay.html"])
def test_a_page_has_its_headers(world, path):
    answer = world.gateway.request("GET", path)
    assert (answer.status, answer.text, answer.headers["content-type"]) == (200, PAGE, "text/html")
    check(answer, caching="no-cache" if path.startswith("/pages/") else "no-store")
    head = world.gateway.request("HEAD", path)
    assert (head.status, head.text) == (200, "")
    check(head, caching="no-cache" if path.startswith("/pages/") else "no-store")


def test_the_buyer_s_page_may_be_in_a_frame_where_the_organization_says(world):
    check(world.gateway.request("GET", f"/pay/{world.session}"), "https://shop.example http://localhost:3000")


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/pages/pay/pay.js", "text/javascript"),
        ("/pages/pay/a.css", "text/css"),
        ("/pages/pay/icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_has_them_too_and_is_not_sent_twice(world, path, kind):
    answer = world.gateway.request("GET", path)
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    check(answer, caching="no-cache")
    # Pages of shops import embed.js.
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    again = world.gateway.request("GET", path, headers={"If-Modified-Since": answer.headers["Last-Modified"]})
    assert (again.status, again.text) == (304, "")


@pytest.mark.parametrize(
    "path",
    [
        "/pages/",
        "/pages",
        "/pages/pay",
        "/pages/pay/",
        "/pages/none.js",
        "/pages/.env",
        "/pages/pay/.git",
        "/pages/out",
        "/pages/root/etc/passwd",
        "/pages/../secret",
        "/pages/pay/../../secret",
        "/pages/%2e%2e/secret",
        "/pages/..%2fsecret",
        "/pages/pay%2f..%2f..%2fsecret",
        "/pages/%2fetc%2fpasswd",
        "/pages//etc/passwd",
        "/pages/pay.html%00",
        "/pages/%ff",
        "/pages/..%5csecret",
        "/pay/",
        "/pay",
        "/pay/a/b",
        "/pages/pay/pay.js/",
    ],
)
def test_what_is_no_file_of_the_folder_is_404_with_the_headers(world, path):
    answer = world.gateway.request("GET", path)
    assert answer.status == 404 and "secret" not in answer.text.replace(path, "")
    check(answer)


def test_other_refusals_have_them_too(world):
    for method in ("POST", "PUT", "DELETE"):
        for path in ("/dashboard", f"/pay/{UNKNOWN}", "/pages/pay/pay.js"):
            answer = world.gateway.request(method, path, "{}")
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
            check(answer)
    too_large = world.gateway.request("POST", "/dashboard", "", {"content-length": str(2**20 + 1)})
    assert too_large.status == 413
    check(too_large)


def test_without_a_folder_nothing_is_there(world, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with Gateway(world.db, f"--pages={empty}") as gateway:
        for path in ("/dashboard", f"/pay/{world.session}", "/pages/pay/pay.js"):
            answer = gateway.request("GET", path)
            assert answer.status == 404
    with Gateway(world.db, f"--pages={tmp_path / 'none'}") as gateway:
        assert gateway.process.wait(20) == 2 and "--pages" in gateway.log()


def test_a_changed_page_is_served_at_once(world):
    path = world.pages / "pay/changed.js"
    path.write_text("1")
    assert world.gateway.request("GET", "/pages/pay/changed.js").text == "1"
    path.write_text("2")
    os.utime(path, (1, 1))
    assert world.gateway.request("GET", "/pages/pay/changed.js").text == "2"
