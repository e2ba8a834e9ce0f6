"""Hostile URLs: the relay connects to no address that webhooks must not go to, however a URL or a name leads there.

In a private network in which every address answers: see support/address_lab.py.
"""

import ipaddress
import json
import os
import sys
from pathlib import Path

import pytest
from conftest import wait_until
from support.relay import Relay, pay, prepare

LAB = Path(__file__).parent / "support/address_lab.py"
REFUSED = "the URL's host has an address that webhooks must not go to"
# The first, the last and another address of each denied range.
DENIED_V4 = """
    0.0.0.0 0.1.2.3 0.255.255.255 10.0.0.0 10.0.0.1 10.255.255.255 100.64.0.0 100.100.100.200 100.127.255.255
    127.0.0.0 127.0.0.1 127.255.255.255 169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 172.17.0.1 172.31.255.255
    192.0.0.0 192.0.0.192 192.0.0.255 192.0.2.0 192.0.2.1 192.0.2.255 192.88.99.0 192.88.99.1 192.88.99.255
    192.168.0.0 192.168.1.1 192.168.255.255 198.18.0.0 198.18.0.1 198.19.255.255 198.51.100.0 198.51.100.7 198.51.100.255
    203.0.113.0 203.0.113.9 203.0.113.255 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.254 255.255.255.255""".split()
DENIED_V6 = """
    :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe
    64:ff9b:1::1 100::1 2001::1 2001:0:7f00:1::1 2001:10::1 2001:db8::1 2001:db8:ffff::1 2002:7f00:1::1 2002:a9fe:a9fe::1
    3fff::1 5f00::1 fc00::1 fd00:ec2::254 fdff:ffff::1 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1""".split()
ALLOWED = "10.1.2.3"
PUBLIC = ["93.184.216.34", "9.255.255.255", "11.0.0.0", "172.32.0.0", "2606:2800:220:1::1"]
# 127.0.0.1, 169.254.169.254 and 10.0.0.1 in the spellings that URL readers take for an address.
SPELLINGS = """
    127.1 127.0.1 0x7f.1 0x7f.0.0.1 0x7f000001 0X7F000001 2130706433 017700000001 0177.0.0.1 0177.1 127.0.0.1. 127.000.000.001
    ①②⑦.⓪.⓪.① 127。0。0。1 １２７.0.0.1 %31%32%37.0.0.1 localhost LOCALHOST localhost. a.localhost %6cocalhost ｌocalhost
    0xa9fea9fe 2852039166 0xa9.0xfe.0xa9.0xfe 0251.0376.0251.0376 025177524776 169.254.43518 169.16689662 169.254.169.254.
    0xa.1 10.1 012.1 167772161 0x0a000001 10.0.1 ⑩.0.0.1 0 0. 0x0 00000000 0.0 [::1] [0:0:0:0:0:0:0:1] [::]
    [::ffff:7f00:1] [::ffff:127.0.0.1] [0:0:0:0:0:ffff:127.0.0.1] [::7f00:1] [::ffff:a9fe:a9fe] [64:ff9b::7f00:1]
    [fe80::1] [FD00:EC2::254] [2002:7f00:1::]""".split()


def name_of(*addresses, word="-and-"):
    """A name with these addresses."""
    kind = "v6" if ":" in addresses[0] else "v4"
    plain = [str(ipaddress.ip_address(address).exploded) for address in addresses]
    return word.join(address.replace(":", "-").replace(".", "-") for address in plain) + f".{kind}.hostile.example"


def hostile_urls():
    hosts = [f"[{address}]" if ":" in address else address for address in DENIED_V4 + DENIED_V6] + SPELLINGS
    names = [name_of(address) for address in DENIED_V4 + DENIED_V6]
    # One good address does not excuse a bad one.
    names += [name_of("93.184.216.34", address) for address in DENIED_V4[::4]]
    names += [name_of(address, "93.184.216.34") for address in DENIED_V4[1::4]]
    urls = [f"https://{host}/" for host in hosts + names]
    urls += [f"http://{host}/" for host in ("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "93.184.216.34")]
    urls += [f"https://{host}:8443/" for host in ("10.0.0.1", "localhost")]
    urls += ["https://good.example@127.0.0.1/", "https://127.0.0.1#@good.example/", "https://127.0.0.1\\@good.example/"]
    return list(dict.fromkeys(urls))


@pytest.fixture
def lab(new_server):
    db = prepare(new_server("checkout_sessions.webhook_allowed_ranges=10.1.0.0/16").create_database())
    seen = db.server.dir / "seen"
    inside = ["unshare", "--net", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"]), sys.executable, LAB, seen]
    relay = Relay(db, "--connect-timeout=1s", inside=inside)
    wait_until(lambda: seen.exists())
    yield db, lambda what: {line[what] for line in map(json.loads, seen.read_text().splitlines()) if what in line}
    relay.stop()


def insert_endpoints(db, urls):
    """Without the checks of create_webhook_endpoint: a name may have had another address then. And more than the limit.
    """
    db.sql("ALTER TABLE checkout_data.webhook_endpoints DROP CONSTRAINT IF EXISTS webhook_endpoints_slot_check")
    db.sql(
        "INSERT INTO checkout_data.webhook_endpoints (organization_id, environment, webhook_endpoint_id, url, event_types,"
        " body_format, signature_scheme, secret, created_at, created_by, updated_at, slot)"
        " SELECT %s, 'test', gen_random_uuid(), url, '{checkout.session.completed}', 'canonical', 'standard',"
        " 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', now(), 'test', now(), n FROM unnest(%s) WITH ORDINALITY AS u (url, n)",
        db.organization_id, urls)


def results(db):
    """The recorded result of each URL."""
    return {row["url"]: row["last_error"] for row in db.sql(
        "SELECT p.url, d.last_error FROM checkout_data.webhook_endpoints p JOIN checkout_data.webhook_deliveries d"
        " ON d.receiver_id = p.webhook_endpoint_id WHERE d.last_attempt_at IS NOT NULL")}


def test_no_hostile_url_reaches_a_denied_address(lab):
    db, seen = lab
    hostile = hostile_urls()
    assert len(hostile) >= 200
    reachable = [*PUBLIC, ALLOWED]
    public = [f"https://{f'[{address}]' if ':' in address else address}/" for address in reachable]
    public += [f"https://{name_of(address)}/" for address in reachable]
    insert_endpoints(db, hostile + public)
    pay(db)
    wait_until(lambda: len(results(db)) == len(hostile + public), 60)
    # The lab notices connections: these are the public ones, and the allowed private one, and no others.
    assert seen("connected") == set(reachable)
    assert len(seen("asked")) >= 70
    recorded = results(db)
    refused = {url for url in hostile if recorded[url] == REFUSED}
    # All others are not URLs, or not names.
    for url in set(hostile) - refused:
        assert recorded[url] and not any(address in recorded[url] for address in DENIED_V4[5:]), url
    assert len(refused) >= 180
    assert all(recorded[url] != REFUSED for url in public)


def test_a_name_that_changes_its_address_gains_nothing(lab):
    """DNS rebinding: public during the check, private a moment later."""
    db, seen = lab
    names = [name_of("93.184.216.34", address, word="-then-") for address in ("127.0.0.1", "169.254.169.254", "10.0.0.1")]
    insert_endpoints(db, [f"https://{name}/" for name in names])
    pay(db)
    wait_until(lambda: len(results(db)) == len(names), 20)
    for _ in range(3):
        db.sql("UPDATE checkout_data.webhook_deliveries SET last_attempt_at = NULL")
        db.sql("SELECT checkout.redeliver_webhook_events(created_after => now() - interval '1 day')")
        wait_until(lambda: len(results(db)) == len(names), 20)
    assert seen("connected") == {"93.184.216.34"}
    assert set(results(db).values()) == {REFUSED}


def test_what_can_be_known_is_refused_at_registration(db):
    """Every hostile URL except those whose name must be resolved."""
    prepare(db)
    db.sql(f"ALTER ROLE {db.shop} SET checkout_sessions.environment = 'live'")
    for url in hostile_urls():
        if "hostile.example" in url:
            continue
        with pytest.raises(Exception) as refused:
            db.call("create_webhook_endpoint", url=url)
        assert refused.value.pgcode == "22023", url
