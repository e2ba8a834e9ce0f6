"""The example of a shop: a buyer pays in a browser, from the cart to the order."""

import re
import subprocess
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from conftest import ENVIRONMENT, ROOT, Server, wait_until
from support.browser import chromium


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example on a server of this test, and a browser."""
    server = Server("py-shop")
    server.remove()
    log = tmp_path_factory.mktemp("shop") / "log"
    with log.open("w") as out:
        environment = {**ENVIRONMENT, "SERVER": server.name}
        process = subprocess.Popen(["examples/shop/run"], cwd=ROOT, stdout=out, stderr=out, env=environment)
    try:
        started = lambda: re.search(r"The shop is at (\S+)", log.read_text())
        wait_until(lambda: started() or process.poll() is not None, within=60)
        assert started(), log.read_text()
        with chromium() as browser:
            yield SimpleNamespace(url=started()[1], browser=browser)
        process.terminate()
        process.wait(20)
        server.check()
    finally:
        process.kill()
        server.remove()


@pytest.fixture
def page(example):
    page = example.browser.new_page(locale="en-US")
    page.set_default_timeout(15000)
    page.goto(example.url)
    yield page
    page.close()


def order(page):
    """What the shop says of the order, once the event is there."""
    def on_its_way():
        page.reload()
        return page.text_content("#order") == "Your order is on its way."

    wait_until(on_its_way, within=10)


def test_a_buyer_is_declined_and_then_pays(page):
    page.click("text=Buy >> nth=0")
    page.get_by_role("button", name="One more of Green tea").click()
    page.get_by_role("button", name=re.compile("Pay XOF.21,500")).click()
    assert page.text_content("h1") == "XOF 21500"
    # Back without a word, and on again to the same payment.
    payment = page.url
    page.go_back()
    page.get_by_role("button", name="Go on with the payment").click()
    page.wait_for_url(payment)
    page.click("text=Decline")
    page.get_by_text("Your card was declined.").wait_for()
    page.get_by_role("button", name=re.compile("Pay XOF.21,500")).click()
    page.click("text=Pay by card")
    page.get_by_role("heading", name="Thank you").wait_for()
    page.wait_for_url("**/thanks?session=*")
    order(page)


def test_a_buyer_pays_on_the_shops_own_page(page):
    page.click("#here")
    frame = page.frame_locator("iframe")
    frame.locator(".test summary").click()
    frame.locator('.scenario[value="complete"]').click()
    page.wait_for_url("**/thanks?session=*")
    order(page)


@pytest.mark.parametrize("path", ["callback", "webhooks"])
def test_what_nobody_signed_changes_nothing(example, path):
    forged = {"x-signature": "00", "webhook-id": "evt_1", "webhook-timestamp": "1", "webhook-signature": "v1,AA=="}
    body = b'{"session": "x", "type": "checkout.session.completed"}'
    request = urllib.request.Request(f"{example.url}/{path}", body, forged)
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=5)
