"""An auditor finds no way in: hundreds of attacks by intruders with few rights on the data of others."""

import hashlib
from contextlib import closing

import pytest
from attacks import credentials, events, guesses, hooks, moments, names, settings, sql, views
from attacks.credentials import PUBLIC, changed
from attacks.intruder import Intruder, goals
from attacks.lab import Attack, Lab, checksummed
from conftest import private_server
from support.machine import IS_DEBIAN

KINDS = [settings, credentials, guesses, events, names, sql, moments, views, hooks]
ATTACKS = [attack for kind in KINDS for attack in kind.attacks()]


@pytest.fixture(scope="module")
def lab():
    # Without a worker, so that only the attacks change anything.
    with private_server("py-attacks", "checkout_sessions.worker_enabled=off") as server:
        yield Lab(server)


def told(found):
    return f"{len(found)}:\n" + "\n".join(f"- {name} ({who}): {what}" for name, who, what in found[:30])


def test_every_attack_is_another():
    all_names = [(attack.name, attack.who) for attack in ATTACKS]
    assert len(all_names) >= 300
    twice = {name for name in all_names if all_names.count(name) > 1}
    assert not twice, sorted(twice)


def test_what_intruders_want_is_there_to_be_had(lab):
    owner = Intruder(lab, "A's role")
    statements = [goal for goal in goals(owner.victim) if "checkout_data" not in goal[0]]
    for statement, *parameters in statements:
        owner.heard.clear()
        owner.raw("BEGIN")
        assert owner.raw(statement, *parameters), statement
        owner.raw("ROLLBACK")
        # Figures, consumers, new sessions, new payments and new endpoints contain no text of the tenant's.
        if not any(
            name in statement
            for name in (
                "session_funnel", "create_checkout", "begin_payment", "record_payment", "create_webhook", "webhook_consumer",
                "redeliver", "coupon_performance", "create_product", "create_price", "create_coupon", "session_periods",
                "erase_customer"
            )
        ):
            assert any("canary_alpha_live" in what for what in owner.breaches()), statement
    owner.heard.clear()
    owner.come(user="web")
    assert owner.raw(PUBLIC, owner.victim["open"], owner.victim["open secret"])
    assert list(owner.breaches())
    owner.leave()


def test_what_intruders_change_is_noticed(lab):
    def writes(me):
        me.lab.db.sql(
            "UPDATE checkout_data.checkout_sessions SET updated_at = updated_at + interval '1 second' "
            "WHERE checkout_session_id = %s",
            me.victim["open"],
        )

    for who in ("anonymous", "B's role", "A's publishable key"):
        assert [what for *_, what in lab.run([Attack("a write", who, writes)])[0]] == [
            "rows of alpha live have changed"
        ]
    grant = lambda me: me.lab.db.sql("GRANT CREATE ON SCHEMA checkout TO plain")
    assert lab.run([Attack("a grant", "plain", grant)])[0]
    lab.db.sql("REVOKE CREATE ON SCHEMA checkout FROM plain")


# A hole, the way to close it again, and the attacks that must find it.
HOLES = {
    "the tenant can be set": (
        "GRANT SET ON PARAMETER checkout_sessions.organization_id TO shop_b",
        "REVOKE ALL ON PARAMETER checkout_sessions.organization_id FROM shop_b",
        settings,
        ["organization_id: SET", "organization_id: set_config", "organization_id: a function's SET"],
    ),
    "anybody's claims are believed": (
        "SELECT checkout.grant_access('web', 'authenticator')",
        "SELECT checkout.revoke_access('web', 'authenticator')",
        settings,
        ["claims: plain", "claims: urn"],
    ),
    "a role may become another": (
        "GRANT shop_a TO shop_b",
        "REVOKE shop_a FROM shop_b",
        settings,
        ["becomes shop_a"],
    ),
    "a wrong key fits": (
        "UPDATE checkout_data.api_keys SET digest = %(wrong)s WHERE api_key_id = %(id)s",
        "UPDATE checkout_data.api_keys SET digest = %(right)s WHERE api_key_id = %(id)s",
        credentials,
        ["key changed at 30, with a checksum"],
    ),
    "a role is bound to another tenant": (
        "ALTER ROLE shop_b SET checkout_sessions.organization_id = %(alpha)s",
        "ALTER ROLE shop_b SET checkout_sessions.organization_id = %(bravo)s",
        guesses,
        [
            "get_checkout_session(%s) for a session of alpha live",
            "list_payments(%s) for a session of alpha live",
            "list_checkout_sessions(reference => %s) of alpha live",
            "update_webhook_endpoint(%s) for the endpoint of alpha live",
            "list_webhook_deliveries(%s) for the endpoint of alpha live",
            "claim_webhook_events(%s) for the consumer of alpha live",
            "redeliver_webhook_events(webhook_endpoint_id => %s) for the endpoint of alpha live",
            "redelivers all that it can reach, and what alpha live's consumer has",
            "delete_webhook_consumer(%s, discard_undelivered => true) for the consumer of alpha live",
        ],
    ),
    "a function without a search path": (
        "ALTER FUNCTION checkout.session_funnel RESET search_path",
        "ALTER FUNCTION checkout.session_funnel SET search_path TO pg_catalog, pg_temp",
        names,
        ["operator = of text"],
    ),
    "tables without row-level security": (
        (
            "GRANT USAGE ON SCHEMA checkout_data TO shop_b; GRANT SELECT ON ALL TABLES IN SCHEMA checkout_data TO"
            " shop_b; ALTER TABLE checkout_data.payments DISABLE ROW LEVEL SECURITY; ALTER TABLE"
            " checkout_data.webhook_endpoints DISABLE ROW LEVEL SECURITY"
        ),
        (
            "REVOKE USAGE ON SCHEMA checkout_data FROM shop_b; REVOKE SELECT ON ALL TABLES IN SCHEMA checkout_data FROM"
            " shop_b; ALTER TABLE checkout_data.payments ENABLE ROW LEVEL SECURITY; ALTER TABLE"
            " checkout_data.webhook_endpoints ENABLE ROW LEVEL SECURITY; DROP VIEW own_shop_b.loot"
        ),
        sql,
        [
            *(f"{verb} on payments" for verb in ("SELECT", "COPY TO", "query_to_xml", "pg_stats", "a view")),
            "SELECT on webhook_endpoints",
        ],
    ),
    "sessions that hooks may read": (
        "GRANT USAGE ON SCHEMA checkout_data TO shop_b; GRANT SELECT ON checkout_data.checkout_sessions TO shop_b; ALTER TABLE"
        " checkout_data.checkout_sessions DISABLE ROW LEVEL SECURITY",
        "REVOKE USAGE ON SCHEMA checkout_data FROM shop_b; REVOKE SELECT ON checkout_data.checkout_sessions FROM shop_b;"
        " ALTER TABLE checkout_data.checkout_sessions ENABLE ROW LEVEL SECURITY",
        hooks,
        ["a hook called by a payment: as it is", "a hook called by a sweep: as it is"],
    ),
    "a view by an owner above row-level security": (
        "GRANT CREATE ON SCHEMA checkout TO postgres; ALTER VIEW checkout.checkout_sessions OWNER TO postgres",
        """GRANT CREATE ON SCHEMA checkout TO checkout_sessions_api;
           ALTER VIEW checkout.checkout_sessions OWNER TO checkout_sessions_api;
           REVOKE CREATE ON SCHEMA checkout FROM checkout_sessions_api""",
        views,
        [f"{name} on view checkout_sessions" for name in ("SELECT", "COPY", "a function that tells", "an error that tells")],
    ),
    "a tenant that stays": (
        "ALTER ROLE web SET checkout_sessions.organization_id = %(bravo)s",
        "ALTER ROLE web RESET checkout_sessions.organization_id",
        moments,
        [
            "after commit",
            "after savepoint",
            "after exception block",
            "a prepared list, kept for the pool's next client",
        ],
    ),
}


@pytest.mark.parametrize("hole", HOLES)
def test_a_hole_would_be_found(lab, hole):
    opened, closed, kind, finders = HOLES[hole]
    key = lab.keys["alpha live", "secret"]
    digests = {"right": key, "wrong": checksummed(changed(key, 30))}
    values = {
        "id": key[:20],
        **lab.organizations,
        **{name: hashlib.sha256(text.encode()).digest() for name, text in digests.items()},
    }
    with closing(lab.db.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(opened, values)
        try:
            attacks = [attack for attack in kind.attacks() if attack.name in finders]
            breaches, _ = lab.run(attacks)
        finally:
            cursor.execute(closed, values)
            # The successful attack has deleted it, and has another secret.
            cursor.execute("UPDATE checkout_data.webhook_endpoints SET deleted_at = NULL")
            cursor.execute("UPDATE checkout_data.webhook_consumers SET deleted_at = NULL")
            lab.secrets = {tenant: lab.secrets_of(tenant) for tenant in lab.targets}
    assert {name for name, *_ in breaches} == {name for name in finders if IS_DEBIAN or "xml" not in name}


@pytest.mark.parametrize("library", ["preloaded", "loaded by the first call"])
def test_no_attack_comes_through(lab, library, capsys):
    attacks = ATTACKS
    if library != "preloaded":
        # Settings can be given before the server knows them.
        lab.server.restart("checkout_sessions.worker_enabled=off", "shared_preload_libraries=")
        attacks = list(settings.attacks())
    breaches, blunders = lab.run(attacks)
    with capsys.disabled():
        print(
            f"\n{len(attacks)} attacks, library {library}: {len({(name, who) for name, who, _ in breaches})} came"
            " through"
        )
    assert not blunders, f"no attacks, for they were not run as they were meant: {told(blunders)}"
    assert not breaches, f"came through: {told(breaches)}"
    found = [(row["finding"], row["object"]) for row in lab.db.sql("SELECT * FROM checkout.security_report()")]
    assert found == ([] if library == "preloaded" else [("can drop everything", "shared_preload_libraries")])
