"""Requests that nobody would think of: whatever comes, the gateway answers, and never with a failure of its own."""

import http.client
import random
import re
import subprocess
import time
import urllib.parse
from types import SimpleNamespace

import pytest

from conftest import ENVIRONMENT, ROOT, install_python_packages, private_server
from support.gateway import EXAMPLE, Gateway, Shop
from support.web_server import request

REQUIREMENTS = ROOT / "tests/server/clients/gateway/requirements.txt"
SECONDS = 25


@pytest.fixture(scope="module")
def world():
    with private_server("py-gateway-fuzz") as server:
        db = server.create_database()
        db.psql(f"--file={EXAMPLE / 'setup.sql'}")
        shop = Shop(db, base_url="https://pay.example")
        with Gateway(db, "--timeout=5s") as gateway:
            for _ in range(3):
                gateway.create("lomi", shop.test)
            yield SimpleNamespace(gateway=gateway, db=db, shop=shop)
            assert gateway.process.poll() is None
            assert "panicked" not in gateway.log()
            assert not re.search(r'"status":5(?!03)', gateway.log())


@pytest.fixture(scope="module")
def schemathesis():
    """Installed once, pinned, in an environment of its own."""
    return install_python_packages("schemathesis", REQUIREMENTS) / "st"


def test_the_documented_operations_with_undocumented_values(world, schemathesis, tmp_path):
    """schemathesis reads /openapi.json. It finds nothing that the gateway answers with 500, or too late."""
    command = [
        schemathesis,
        "run",
        f"{world.gateway.url}/openapi.json",
        "--checks=not_a_server_error",
        "--phases=examples,coverage,fuzzing",
        f"--max-time={SECONDS}",
        "--workers=2",
        "--generation-database=none",
        "--request-timeout=10",
        "--no-color",
        f"--header=x-api-key: {world.shop.test}",
        "--max-examples=300",
        "--warnings=off",
    ]
    done = subprocess.run(
        [str(word) for word in command],
        env=ENVIRONMENT,
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert len(world.gateway.log_lines()) > 100


WORDS = [
    "",
    "*",
    "null",
    "true",
    "0",
    "-1",
    "1e400000",
    "NaN",
    "eq.",
    "eq.1",
    "not.",
    "not.not.eq.1",
    "in.(",
    "in.()",
    'in.("',
    "is.null",
    "is.",
    "like.%",
    "ilike.\\",
    "a,b",
    ",",
    "(",
    ")",
    '"',
    "'",
    "\\",
    "\0",
    "\ud7ff",
    "é",
    "😀",
    "->>",
    "->>a",
    "metadata->>a",
    "metadata->>",
    "amount",
    "status",
    "checkout_session_id",
    "created_at",
    "amount.desc.nullslast",
    "amount.desc.",
    "..",
    "../..",
    "018f0000-0000-7000-8000-00000000000a",
    "a" * 5000,
    "[" * 500,
    "{}",
    "[]",
    '{"a":',
    "$1",
    "$1::text",
    ";--",
    "/*",
    "%",
    "%00",
    "\r\n",
    "9223372036854775807",
    "9223372036854775808",
    "infinity",
    "2026-13-45",
    "{a,b}",
    "{",
]
HEADS = [
    "x-api-key",
    "authorization",
    "prefer",
    "accept",
    "content-type",
    "x-request-id",
    "x-forwarded-for",
    "origin",
    "range",
    "x-trace-id",
    "idempotency-key",
    "x-scenario-key",
    "if-modified-since",
]
BASES = [
    "/views/checkout_sessions",
    "/views/payments",
    "/views/",
    "/rpc/list_checkout_sessions",
    "/rpc/create_checkout_session",
    "/rpc/public_checkout_session",
    "/rpc/",
    "/pay/",
    "/pages/",
    "/dashboard",
    "/openapi.json",
    "/healthz",
    "/lomi/checkout-sessions",
    "/paygate/v1/checkout/sessions",
    "/yuno/",
    "/",
    "//",
    "/kobo",
]


def nonsense(chance, db):
    """A request of parts that are right, wrong or nothing."""
    pick = chance.choice
    text = lambda: "".join(pick(WORDS) for _ in range(chance.randint(1, 3)))
    path = pick(BASES) + urllib.parse.quote(
        text() if chance.random() < 0.3 else "", safe="/%" if chance.random() < 0.5 else ""
    )
    names = [
        "select",
        "order",
        "limit",
        "offset",
        "amount",
        "customer_id",
        "metadata->>a",
        "checkout_session_id",
        "page_size",
    ]
    pairs = [(pick(names) if chance.random() < 0.8 else text(), text()) for _ in range(chance.randint(0, 4))]
    query = urllib.parse.urlencode(pairs, errors="replace")
    headers = {"x-api-key": db} if chance.random() < 0.8 else {}
    for _ in range(chance.randint(0, 3)):
        value = re.sub(r"[^\t\x20-\x7e\x80-\xff]", "", text())
        headers[pick(HEADS)] = value.strip()
    body = None
    if chance.random() < 0.5:
        members = ", ".join(
            f'"{pick(names)}": {pick(["1", "null", "[]", "{}", "true", chr(34) + "x" + chr(34), "1e999", "{"])}'
            for _ in range(3)
        )
        body = pick(
            [
                b"{" + members.encode() + b"}",
                text().encode(errors="replace"),
                b"\xff\xfe",
                b"[" * 10000,
                urllib.parse.urlencode(pairs).encode(),
            ]
        )
        headers["content-type"] = pick(["application/json", "application/x-www-form-urlencoded", "text/plain", ""])
    method = pick(["GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "PROPFIND"])
    return method, path + (f"?{query}" if query else ""), body, headers


def test_nonsense_is_refused_with_a_reason(world):
    seed = random.randrange(10**9)
    chance, end, number = random.Random(seed), time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        asked = nonsense(chance, world.shop.test)
        try:
            answer = request(world.gateway.port, *asked)
        except (http.client.InvalidURL, UnicodeEncodeError, ValueError):
            continue
        simulated = "error:" in asked[3].get("x-scenario-key", "")
        assert answer.status < 500 or simulated, f"seed {seed}: {asked} got {answer.status} {answer.text}"
        number += 1
    assert number > 500
