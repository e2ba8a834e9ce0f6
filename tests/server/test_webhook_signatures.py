"""The reference libraries verify the signatures of sign_webhook, and verify_webhook verifies theirs."""

import base64
import json
import random
import subprocess

import pytest

from conftest import ENVIRONMENT, ROOT, install_packages, install_python_packages

REFERENCES = ROOT / "tests/server/clients/webhooks"
BODIES = 10_000


@pytest.fixture(scope="module")
def javascript():
    install_packages(REFERENCES)
    return ["node", REFERENCES / "reference.js"]


@pytest.fixture(scope="module")
def python():
    programs = install_python_packages("reference-webhooks", REFERENCES / "requirements.txt")
    return [programs / "python", REFERENCES / "reference.py"]


def ask(reference, messages):
    """The answers of a reference library to the messages."""
    lines = "".join(json.dumps(message) + "\n" for message in messages)
    done = subprocess.run(reference, input=lines, capture_output=True, text=True, env=ENVIRONMENT, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(messages)
    return answers


def random_messages(count):
    """JSON bodies of all sorts, with secrets of 24 to 64 bytes."""
    dice = random.Random(1)
    letters = ["a", "Z", " ", '"', "\\", "\n", "é", "ß", "中", "🛒", "\u2028", "</script>", "'", "%", "$1"]
    for number in range(count):
        text = "".join(dice.choices(letters, k=dice.randrange(200 if number % 100 else 20_000)))
        yield {
            "id": f"evt_{number}",
            "body": json.dumps({"text": text, "number": number}, ensure_ascii=number % 2 == 0),
            "secret": "whsec_" + base64.b64encode(dice.randbytes(dice.randrange(24, 65))).decode(),
        }


def signed(db, messages, scheme):
    """Messages with the headers that sign_webhook makes for them."""
    rows = db.sql(
        """SELECT m.value || jsonb_build_object('scheme', %s, 'headers', CASE WHEN %s = 'stripe'
                THEN jsonb_build_object('stripe-signature', s.signature)
                ELSE jsonb_build_object('webhook-id', m.value ->> 'id', 'webhook-signature', s.signature,
                    'webhook-timestamp', extract(epoch FROM date_trunc('second', now()))::bigint::text) END) AS message
            FROM jsonb_array_elements(%s) WITH ORDINALITY AS m (value, n),
                LATERAL checkout.sign_webhook(m.value ->> 'id', now(), m.value ->> 'body', m.value ->> 'secret', %s) AS s (signature)
            ORDER BY m.n""",
        scheme, scheme, json.dumps(list(messages)), scheme,
    )
    return [row["message"] for row in rows]


def verified(db, messages):
    rows = db.sql(
        """SELECT checkout.verify_webhook(m.value -> 'headers', m.value ->> 'body', m.value ->> 'secret',
                m.value ->> 'scheme') AS verified
            FROM jsonb_array_elements(%s) WITH ORDINALITY AS m (value, n) ORDER BY m.n""",
        json.dumps(messages),
    )
    return [row["verified"] for row in rows]


def tampered(messages):
    """Each message with one change."""
    dice = random.Random(2)
    for message in messages:
        changed = json.loads(json.dumps(message))
        name = dice.choice(["body", "secret", *message["headers"]])
        if name == "body":
            changed["body"] = message["body"].replace('"number": ', '"number": 1', 1)
        elif name == "secret":
            changed["secret"] = "whsec_" + base64.b64encode(dice.randbytes(32)).decode()
        elif name == "webhook-timestamp":
            changed["headers"][name] = str(int(message["headers"][name]) + dice.choice([-1, 1, -301, 301]))
        else:
            # Any character of an id, and any of a signature itself.
            text = message["headers"][name]
            first = {"webhook-id": 0, "webhook-signature": 3, "stripe-signature": text.find("v1=") + 3}[name]
            # Some bits of the last character before the padding of base64 have no meaning.
            at = dice.randrange(first, len(text) - 2 * (name == "webhook-signature"))
            changed["headers"][name] = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1:]
        yield changed


@pytest.mark.parametrize("language, scheme", [("javascript", "standard"), ("javascript", "stripe"), ("python", "standard")])
def test_reference_library_verifies_what_sql_signs_and_sql_what_it_signs(db, request, language, scheme):
    reference = request.getfixturevalue(language)
    messages = signed(db, random_messages(BODIES), scheme)
    assert ask(reference, messages) == [True] * BODIES
    changed = list(tampered(messages))
    assert all(message != original for message, original in zip(changed, messages))
    assert ask(reference, changed) == [False] * BODIES
    assert verified(db, messages) == [True] * BODIES and verified(db, changed) == [False] * BODIES
    theirs = [message | {"scheme": scheme} for message in random_messages(BODIES)]
    theirs = [message | {"headers": headers} for message, headers in zip(theirs, ask(reference, theirs))]
    assert verified(db, theirs) == [True] * BODIES and verified(db, list(tampered(theirs))) == [False] * BODIES
