"""API keys and tokens in front of a real PostgREST: which are believed, and whose they are."""

import json
from contextlib import contextmanager

import pytest

from support.postgrest import token
from support.postgrest_world import ORDER, UNKNOWN, postgrest, world  # noqa: F401: fixtures


def test_bad_key_is_refused_and_is_not_nobody(world, postgrest):
    key = world.db.sql("SELECT * FROM checkout.create_api_key(%s, 'secret', 'live')", world.a)[0]
    assert postgrest.call("current_organization_id", key=key["api_key"]).body == world.a
    world.db.sql("SELECT checkout.revoke_api_key(%s)", key["api_key_id"])
    expired = world.db.value("SELECT api_key FROM checkout.create_api_key(%s, 'secret', 'live',"
                             " expires_at => clock_timestamp() + interval '50 ms')", world.a)
    world.db.sql("SELECT pg_sleep(0.1)")
    good = world.keys["secret"]
    typo = good[:30] + ("a" if good[30] != "a" else "b") + good[31:]
    revoked = key["api_key"]
    for bad in (revoked, expired, typo, good[:-1], good + "x", good[:20], good.upper(), "nonsense", "sk_live_", ""):
        # Functions that every role may call are refused, too.
        for path in ("/rpc/list_checkout_sessions", f"/rpc/redirect_url?url=x&checkout_session_id={UNKNOWN}"):
            answer = postgrest.request("GET", path, key=bad)
            assert answer[:2] == (401, "PT401"), (bad, answer)
            assert answer.body["message"] == "invalid API key"
    assert postgrest.request("GET", "/", key="nonsense").status == 401


@pytest.mark.parametrize("claims", [
    {"role": "member", "organization_id": "A"},
    {"role": "member", "app_metadata": {"organization_id": "A"}},
    {"organization_id": "A"},  # without a role: web_anon
])
def test_token_names_its_organization(world, postgrest, claims):
    claims = json.loads(json.dumps(claims).replace('"A"', f'"{world.a}"'))
    jane = token(**claims, sub="jane")
    session = postgrest.call("create_checkout_session", **ORDER, token=jane)
    assert (session.status, session.body["organization_id"], session.body["created_by"]) == (200, world.a, "jane")
    assert session.body["environment"] == "live"
    by_id = {"checkout_session_id": session.body["checkout_session_id"]}
    assert postgrest.call("get_checkout_session", **by_id, token=jane).status == 200
    assert postgrest.call("get_checkout_session", **by_id, key=world.keys["secret"]).status == 200
    stranger = token(role="member", organization_id=world.b)
    assert postgrest.call("get_checkout_session", **by_id, token=stranger).status == 404


def test_token_may_name_the_test_environment(world, postgrest):
    for claims in (
        {"organization_id": world.a, "environment": "test"},
        {"app_metadata": {"organization_id": world.a, "environment": "test"}},
    ):
        assert postgrest.call("current_environment", token=token(role="member", **claims)).body == "test"


def test_token_may_be_for_a_browser(world, postgrest):
    for claims in (
        {"organization_id": world.a, "kind": "publishable"},
        {"app_metadata": {"organization_id": world.a, "kind": "publishable"}},
    ):
        browser = token(role="member", **claims)
        assert postgrest.call("create_checkout_session", **ORDER, token=browser).status == 200
        assert postgrest.call("list_checkout_sessions", token=browser)[:2] == (403, "PT403")


BAD_TOKENS = {
    "wrong signature": (
        lambda a, b: token("another secret of 32 characters!", role="member", organization_id=a), 401, "PGRST301"),
    "expired": (lambda a, b: token(role="member", organization_id=a, exp=1), 401, "PGRST301"),
    "not signed": (lambda a, b: token(role="member", organization_id=a).rpartition(".")[0] + ".", 401, "PGRST301"),
    "an API key": (lambda a, b: "sk_live_anything", 401, "PGRST301"),
    "no organization": (lambda a, b: token(role="member"), 403, "28000"),
    "user_metadata": (lambda a, b: token(role="member", user_metadata={"organization_id": a}), 403, "28000"),
    "unknown organization": (lambda a, b: token(role="member", organization_id=UNKNOWN), 401, "PT401"),
    "malformed organization": (lambda a, b: token(role="member", organization_id=a + "'--"), 401, "PT401"),
    "two organizations": (
        lambda a, b: token(role="member", organization_id=a, app_metadata={"organization_id": b}), 401, "PT401"),
    "unknown environment": (lambda a, b: token(role="member", organization_id=a, environment="prod"), 401, "PT401"),
    "unknown kind": (lambda a, b: token(role="member", organization_id=a, kind="admin"), 401, "PT401"),
    "a role of ours": (lambda a, b: token(role="checkout_sessions_worker", organization_id=a), 403, "42501"),
    "a superuser": (lambda a, b: token(role="postgres", organization_id=a), 403, "42501"),
    "the authenticator": (lambda a, b: token(role="authenticator", organization_id=a), 403, "42501"),
}


@pytest.mark.parametrize("what", BAD_TOKENS)
def test_bad_token_is_refused(world, postgrest, what):
    make, status, code = BAD_TOKENS[what]
    answer = postgrest.call("list_checkout_sessions", token=make(world.a, world.b))
    assert answer[:2] == (status, code), answer


def test_key_and_token_have_to_agree(world, postgrest):
    member = lambda **claims: token(role="member", **claims)
    agreed = {"token": member(organization_id=world.a), "key": world.keys["secret"]}
    assert postgrest.call("current_organization_id", **agreed).body == world.a
    # The key decides the rights.
    less = {"token": member(organization_id=world.a), "key": world.keys["publishable"]}
    assert postgrest.call("list_checkout_sessions", **less)[:2] == (403, "PT403")
    # A token without an organization, such as Supabase's anonymous key, removes no rights.
    assert postgrest.call("current_organization_id", token=member(), key=world.keys["secret"]).body == world.a
    for claims in ({"organization_id": world.b}, {"organization_id": world.a, "environment": "test"}):
        answer = postgrest.call("list_checkout_sessions", token=member(**claims), key=world.keys["secret"])
        assert answer[:2] == (401, "PT401"), answer
    wrong = postgrest.call("list_checkout_sessions", token=member(organization_id=world.a), key="nonsense")
    assert wrong[:2] == (401, "PT401")


def test_bearer_that_is_a_key_needs_a_proxy(world, postgrest):
    """PostgREST takes it for a token, even beside a good x-api-key; examples/postgrest/README.md says what to do."""
    for presented in ({}, {"key": world.keys["secret"]}):
        answer = postgrest.call("list_checkout_sessions", token=world.keys["secret"], **presented)
        assert answer[:2] == (401, "PGRST301")
        assert world.keys["secret"] not in json.dumps(answer.body) + str(answer.headers)


@contextmanager
def without_authenticator_access(db):
    db.sql("SELECT checkout.revoke_access('authenticator', 'authenticator')")
    try:
        yield
    finally:
        db.sql("SELECT checkout.grant_access('authenticator', 'authenticator')")


def test_claims_are_not_believed_without_authenticator_access(world, postgrest):
    jane = token(role="member", organization_id=world.a)
    with without_authenticator_access(world.db):
        answer = postgrest.call("list_checkout_sessions", token=jane)
        assert answer[:2] == (401, "PT401") and "not believed" in answer.body["message"]
        assert postgrest.call("current_organization_id", key=world.keys["secret"]).body == world.a
    assert postgrest.call("list_checkout_sessions", token=jane).status == 200


def test_tables_are_not_there(world, postgrest):
    for path in ("/open_sessions", "/webhook_outbox", "/api_keys", "/organizations"):
        assert postgrest.request("GET", path, key=world.keys["secret"]).status == 404
    for function in ("reader_organization_id", "accesses"):
        assert postgrest.call(function, key=world.keys["secret"]).status == 404
    other_schema = postgrest.request("GET", "/api_keys", key=world.keys["secret"], accept_profile="checkout_data")
    assert other_schema.status == 406
