"""Attacks by credentials: API keys and client secrets that are almost right."""

import base64
import json

from attacks.lab import ALPHABET, Attack, checksummed

PUBLIC = "SELECT * FROM checkout.public_checkout_session(%s, %s)"
STATES = ("open", "processing", "complete", "failed", "expired")


def other(character):
    """Another letter or digit."""
    return ALPHABET[(ALPHABET.find(character) + 7) % 62]


def changed(text, at):
    return text[:at] + other(text[at]) + text[at + 1 :]


def presents(make):
    """Presents a text that is not a key: to authenticate(), and as a header."""

    def action(me):
        text = make(me)
        me.said.append(text)
        me.present_key(text)
        me.loot(few=True)
        me.raw("ROLLBACK")
        for headers in ({"x-api-key": text}, {"authorization": f"Bearer {text}"}):
            me.request(json.dumps(headers))
            me.loot(few=True)
            me.raw("ROLLBACK")

    return action


def key_of(me, tenant="alpha live", kind="secret"):
    return me.lab.keys[tenant, kind]


def mixed(one, two, *parts):
    """Mixes two keys: the named parts are the second's, all others the first's."""
    bounds = {"prefix": (0, 8), "id": (8, 20), "secret": (20, 63), "half": (20, 42), "checksum": (63, 69)}
    for part in parts:
        start, end = bounds[part]
        one = one[:start] + two[start:end] + one[end:]
    return one


def key_attacks():
    for at in range(69):
        yield Attack(f"key changed at {at}", "anonymous", presents(lambda me, at=at: changed(key_of(me), at)))
    for at in range(8, 63):
        yield Attack(
            f"key changed at {at}, with a checksum",
            "anonymous",
            presents(lambda me, at=at: checksummed(changed(key_of(me), at))),
        )
    for prefix in ("sk_test_", "pk_live_", "pk_test_", "rk_live_", "SK_LIVE_", "sk_prod_", "sk-live-"):
        yield Attack(
            f"key with prefix {prefix}", "anonymous", presents(lambda me, p=prefix: checksummed(p + key_of(me)[8:]))
        )
    for parts in (["prefix"], ["id"], ["secret"], ["half"], ["prefix", "id"], ["prefix", "secret"], ["checksum"]):
        for other_key in (("bravo live", "secret"), ("alpha test", "secret"), ("alpha live", "publishable")):
            for repaired in (False, True):

                def make(me, parts=parts, other_key=other_key, repaired=repaired):
                    key = mixed(key_of(me), key_of(me, *other_key), *parts)
                    return checksummed(key) if repaired else changed(key, 68) if key == key_of(me) else key

                # B's own key and A's publishable one are no attacks; the parts excluded here would make one of them.
                what = (
                    f"key with {' and '.join(parts)} of {' '.join(other_key)}{', with a checksum' if repaired else ''}"
                )
                if not (parts == ["prefix"] and other_key[0] == "bravo live") and parts != ["checksum"]:
                    yield Attack(what, "anonymous", presents(make))
    changes = {
        "revoked": lambda me: me.lab.revoked,
        "expired": lambda me: me.lab.expired,
        "only its name": lambda me: key_of(me)[:20],
        "cut by one": lambda me: key_of(me)[:68],
        "cut to its prefix": lambda me: key_of(me)[:8],
        "without its checksum": lambda me: key_of(me)[:63],
        "longer by one": lambda me: key_of(me) + "0",
        "with a space after": lambda me: key_of(me) + "x ",
        "with a line feed in it": lambda me: key_of(me)[:40] + "\n" + key_of(me)[41:],
        "with a tab for a letter": lambda me: key_of(me)[:30] + "\t" + key_of(me)[31:],
        "with a percent sign": lambda me: key_of(me)[:20] + "%",
        "with a wildcard": lambda me: key_of(me)[:8] + "_" * 61,
        "in upper case": lambda me: key_of(me).upper(),
        "in lower case": lambda me: key_of(me).lower(),
        "backwards": lambda me: key_of(me)[::-1],
        "in full-width letters": lambda me: key_of(me)[:68] + chr(ord(key_of(me)[68]) + 0xFEE0),
        "with a Cyrillic letter": lambda me: "ѕ" + key_of(me)[1:],
        "with a combining mark": lambda me: key_of(me)[:69] + "\u0301",
        "in base64": lambda me: base64.b64encode(key_of(me)[:60].encode()).decode(),
        "empty": lambda me: "",
        "with SQL": lambda me: key_of(me)[:20] + "' OR true --",
        "the digest": lambda me: me.lab.secrets["alpha live"][2],
        "name and digest": lambda me: checksummed(key_of(me)[:20] + me.lab.secrets["alpha live"][2][:43] + "0" * 6),
        "two at once": lambda me: key_of(me) + key_of(me, "bravo live"),
        "a megabyte": lambda me: key_of(me)[:63] + "A" * 2**20,
        "zeros": lambda me: checksummed(key_of(me)[:20] + "0" * 49),
        "the next name": lambda me: checksummed("sk_live_" + "0" * 61),
    }
    for how, make in changes.items():
        yield Attack(f"key {how}", "anonymous", presents(make))
    for tenant in ("alpha live", "alpha test", "bravo test"):
        # B's own key, changed so that it seems to be another tenant's.
        yield Attack(
            f"B's key moved to {tenant}",
            "B's secret key",
            presents(lambda me, t=tenant: mixed(me.key, key_of(me, t), "id", "prefix")),
        )
    yield Attack("B's key, then a wrong one of A in the same transaction", "B's secret key", second_key)
    yield Attack("B's key beside A's publishable one", "B's secret key", two_headers)
    yield Attack(
        "A's publishable key with secret's prefix",
        "A's publishable key",
        presents(lambda me: checksummed("sk_live_" + me.key[8:])),
    )
    yield Attack("A's publishable key", "A's publishable key", presents(lambda me: me.key))
    yield Attack(
        "A's publishable key for the test environment",
        "A's publishable key",
        presents(lambda me: checksummed("pk_test_" + me.key[8:])),
    )


def second_key(me):
    me.present_key()
    for make in (lambda key: changed(key, 30), lambda key: checksummed(changed(key, 30)), lambda key: key[:20]):
        me.present_key(make(key_of(me)))
        me.loot(few=True)
    # A's publishable key is valid, but a browser of A may do nothing of what the attacks try.
    me.present_key(key_of(me, "alpha live", "publishable"))
    me.loot(few=True)


def two_headers(me):
    for headers in (
        {"x-api-key": me.key, "authorization": "Bearer " + key_of(me, "alpha live", "publishable")},
        {"x-api-key": key_of(me, "alpha live", "publishable"), "authorization": "Bearer " + me.key},
    ):
        me.request(json.dumps(headers))
        me.loot(few=True)
        me.raw("ROLLBACK")


def decoded(secret):
    return bytearray(base64.urlsafe_b64decode(secret.removeprefix("cs_secret_") + "=="))


def encoded(content):
    return "cs_secret_" + base64.urlsafe_b64encode(bytes(content)).decode().rstrip("=")


def opens(make, state="open"):
    """Asks for a session of A with a text that is not its client secret."""

    def action(me):
        text = make(me)
        me.said.append(text)
        me.do(PUBLIC, me.victim[state], text)

    return action


def own_secret(me):
    """A client secret that is right, for a session of B's."""
    return me.home["open secret"]


def moved(me, organization=False, environment=None, mac_of=None):
    content = decoded(me.victim["open secret"])
    if organization:
        content[:16] = decoded(own_secret(me))[:16]
    if environment:
        content[16] = ord(environment)
    if mac_of:
        content[17:] = decoded(mac_of)[17:]
    return encoded(content)


def client_secret_attacks():
    for at in range(76):
        yield Attack(
            f"client secret changed at {at}",
            "anonymous",
            opens(lambda me, at=at: changed(me.victim["open secret"], at)),
        )
    for at in range(49):

        def flipped(me, at=at):
            content = decoded(me.victim["open secret"])
            content[at] ^= 1
            return encoded(content)

        yield Attack(f"client secret with byte {at} flipped", "anonymous", opens(flipped))
    for state in STATES[1:]:
        yield Attack(
            f"client secret of A's {state} session", "anonymous", opens(lambda me, s=state: me.victim[f"{s} secret"])
        )
        yield Attack(
            f"client secret of A's open session for the {state} one",
            "anonymous",
            opens(lambda me: me.victim["open secret"], state),
        )
    for tenant in ("alpha test", "bravo live", "bravo test"):
        yield Attack(
            f"client secret of {tenant}", "anonymous", opens(lambda me, t=tenant: me.lab.targets[t]["open secret"])
        )
    shapes = {
        "with B's organization": lambda me: moved(me, organization=True),
        "with the test environment": lambda me: moved(me, environment="t"),
        "with an unknown environment": lambda me: moved(me, environment="x"),
        "with B's MAC": lambda me: moved(me, mac_of=own_secret(me)),
        "with the test environment's MAC": lambda me: moved(me, mac_of=me.lab.targets["alpha test"]["open secret"]),
        "with zeros for a MAC": lambda me: encoded(decoded(me.victim["open secret"])[:17] + bytes(32)),
        "without a MAC": lambda me: encoded(decoded(me.victim["open secret"])[:17]),
        "of one byte less": lambda me: encoded(decoded(me.victim["open secret"])[:48]),
        "of one byte more": lambda me: encoded(decoded(me.victim["open secret"]) + b"\0"),
        "without its prefix": lambda me: me.victim["open secret"][10:],
        "only its prefix": lambda me: "cs_secret_",
        "empty": lambda me: "",
        "with padding": lambda me: me.victim["open secret"] + "==",
        "with a space": lambda me: me.victim["open secret"] + " ",
        "in upper case": lambda me: me.victim["open secret"].upper(),
        "twice": lambda me: me.victim["open secret"] * 2,
        "the session's id": lambda me: me.victim["open"],
        "B's secret key": lambda me: key_of(me, "bravo live"),
        "A's publishable key": lambda me: key_of(me, "alpha live", "publishable"),
        "a megabyte": lambda me: "cs_secret_" + "A" * 2**20,
        "with SQL": lambda me: "cs_secret_' OR true --",
    }
    for how, make in shapes.items():
        for who in ("anonymous", "A's browser", "B's role"):
            yield Attack(f"client secret {how}", who, opens(make))


def attacks():
    yield from key_attacks()
    yield from client_secret_attacks()
