"""Attacks by settings: the tenant forged, removed or kept; and requests with false headers and claims."""

import json
from functools import partial

from attacks.lab import Attack

# Statements that forge a setting; | separates statements. {name} and {value} are filled in.
FORGERIES = {
    "SET": "SET {name} = '{value}'",
    "SET SESSION": "SET SESSION {name} TO '{value}'",
    "SET in other letters": "SET \"CHECKOUT_SESSIONS\".{last} = '{value}'",
    "SET with spaces around": "SET {name} = ' {value} '",
    "set_config": "SELECT set_config('{name}', '{value}', false)",
    "set_config in a list's argument": (
        "SELECT * FROM checkout.list_checkout_sessions(status => left(set_config('{name}', '{value}', false), 0))"
    ),
    "set_config in a CTE": (
        "WITH forged AS MATERIALIZED (SELECT set_config('{name}', '{value}', false)) "
        "SELECT l.* FROM forged, checkout.list_checkout_sessions() l"
    ),
    "set_config in a DO block": "DO $$ BEGIN PERFORM set_config('{name}', '{value}', false); END $$",
    "SET in an EXCEPTION block": (
        "DO $$ BEGIN SET {name} = '{value}'; EXCEPTION WHEN OTHERS THEN "
        "PERFORM set_config('{name}', '{value}', true); END $$"
    ),
    "pg_settings": "UPDATE pg_settings SET setting = '{value}' WHERE name = '{name}'",
    "a function's SET": (
        "CREATE FUNCTION pg_temp.forged() RETURNS SETOF checkout.checkout_session LANGUAGE sql "
        "SET {name} = '{value}' AS 'SELECT * FROM checkout.list_checkout_sessions()'|SELECT * FROM pg_temp.forged()"
    ),
    "a procedure's SET": (
        "CREATE PROCEDURE pg_temp.forged() LANGUAGE plpgsql SET {name} = '{value}' "
        "AS 'BEGIN PERFORM checkout.list_checkout_sessions(); END'|CALL pg_temp.forged()"
    ),
    "ALTER FUNCTION SET": (
        "CREATE FUNCTION pg_temp.forged() RETURNS text LANGUAGE sql AS 'SELECT checkout.current_environment()'|"
        "ALTER FUNCTION pg_temp.forged() SET {name} = '{value}'|SELECT pg_temp.forged()"
    ),
    "ALTER FUNCTION of ours": "ALTER FUNCTION checkout.session_funnel SET {name} = '{value}'",
    "ALTER ROLE self": "ALTER ROLE $ROLE SET {name} = '{value}'",
    "ALTER ROLE self, here": "ALTER ROLE $ROLE IN DATABASE lab SET {name} = '{value}'",
    "ALTER ROLE self RESET ALL": "ALTER ROLE $ROLE RESET ALL /* {name} */",
    "ALTER ROLE self FROM CURRENT": "ALTER ROLE $ROLE SET {name} FROM CURRENT",
    "ALTER ROLE ALL": "ALTER ROLE ALL SET {name} = '{value}'",
    "ALTER DATABASE": "ALTER DATABASE lab SET {name} = '{value}'",
    "ALTER SYSTEM": "ALTER SYSTEM SET {name} = '{value}'",
    "GRANT SET ON PARAMETER": "GRANT SET ON PARAMETER {name} TO $ROLE|SET {name} = '{value}'",
    "RESET": "RESET {name}",
    "SET TO DEFAULT": "SET {name} TO DEFAULT",
    "RESET ALL": "RESET ALL /* {name} */",
    "DISCARD ALL": "DISCARD ALL /* {name} */",
}
NAMES = {"organization_id": "$VICTIM", "environment": "test", "jwt_organization_claim": "sub"}
OTHER_ROLES = [
    "shop_a",
    "postgres",
    "checkout_sessions_api",
    "checkout_sessions_worker",
    "authenticator",
    "pg_read_all_data",
    "pg_write_all_data",
    "pg_execute_server_program",
    "pg_database_owner",
]


def forged(statement):
    def action(me):
        # They are refused in many ways. Objects that could not be created cannot be called.
        for part in statement.split("|"):
            me.do(part, expected={"42883", "3F000", "42704"})
        me.come() if "ALTER" in statement and "FUNCTION" not in statement else None
        me.loot()
        # The same for the rest of one transaction.
        me.raw("BEGIN")
        for part in statement.split("|"):
            me.do(part, expected={"42883", "3F000", "42704"})
        me.loot()

    return action


def after_key(statement):
    """The same after presenting a key of its own: the tenant must not change under it."""

    def action(me):
        me.present_key()
        me.raw("SAVEPOINT presented")
        me.do(statement)
        me.loot()
        me.raw("ROLLBACK TO presented")
        me.do(statement.replace("SET ", "SET LOCAL ", 1) if statement.startswith("SET ") else statement)
        me.loot()

    return action


def connects(**options):
    def action(me):
        me.come(**{name: me.fill_in(value) for name, value in options.items()})
        me.loot()

    return action


def setting_attacks():
    for name, value in NAMES.items():
        full = f"checkout_sessions.{name}"
        for how, statement in FORGERIES.items():
            statement = statement.format(name=full, value=value, last=name)
            for who in ("anonymous", "B's role"):
                yield Attack(f"{name}: {how}", who, forged(statement))
        for how in (
            "SET",
            "set_config",
            "RESET",
            "RESET ALL",
            "SET in an EXCEPTION block",
            "set_config in a list's argument",
        ):
            statement = FORGERIES[how].format(name=full, value=value, last=name)
            yield Attack(f"{name}: {how} after its key", "B's secret key", after_key(statement))
        for form in (
            f"-c {full}={value}",
            f"--{full}={value}",
            f"--{full.replace('_', '-')}={value}",
            f"-c {full.upper()}={value}",
            f"-c search_path=pg_temp -c {full}={value}",
            f"-c {full}={value}\\ ",
        ):
            for who in ("anonymous", "B's role"):
                yield Attack(f"connection option {form}", who, connects(options=form))
    # The credential that was found is a setting that no role may set.
    credential = json.dumps(
        {
            "tenant": {"organization_id": "$VICTIM", "environment": "live"},
            "kind": "secret",
            "name": None,
            "payment_methods": None,
            "http": False,
        }
    )
    for how, statement in FORGERIES.items():
        statement = (
            statement.replace("{name}", "checkout_sessions.credential")
            .replace("{value}", credential)
            .replace("{last}", "credential")
        )
        for who in ("anonymous", "A's publishable key"):
            action = forged(statement) if who == "anonymous" else after_key(statement)
            if who == "anonymous" or how.startswith(("SET", "RESET", "set_config")) and how != "SET SESSION":
                yield Attack(f"credential: {how}", who, action)
    for role in OTHER_ROLES:
        for who in ("anonymous", "B's role", "authenticator", "verifier", "plain"):
            if not (who == "authenticator" and role == "authenticator"):
                yield Attack(f"becomes {role}", who, becomes(role))


def becomes(role):
    def action(me):
        for statement in (
            f"SET ROLE {role}",
            f"SET SESSION AUTHORIZATION {role}",
            f"SELECT set_config('role', '{role}', false)",
            f"SELECT set_config('session_authorization', '{role}', false)",
            f"GRANT {role} TO $ROLE",
            f"ALTER ROLE $ROLE SET role = '{role}'",
            f"CREATE FUNCTION pg_temp.risen() RETURNS text LANGUAGE sql SET role = '{role}' AS 'SELECT current_user'",
            f"REASSIGN OWNED BY {role} TO $ROLE",
            f"ALTER ROLE {role} RENAME TO x",
        ):
            me.do(statement)
            answer = me.do("SELECT current_user::text")
            if answer != [(me.role,)]:
                me.found.append(f"became {answer} by {statement}")
            me.do("RESET ROLE")
        me.come()
        me.lab.ask(f"ALTER ROLE {me.role} RESET role")
        me.come(options=f"-c role={role}")
        me.loot()

    return action


# Claims that name the victim. They must not count, in any form, if the session user has no authenticator access.
def claims_of(organization, environment="live"):
    tenant = {"organization_id": organization, "environment": environment}
    one = json.dumps(tenant)
    yield from {
        "plain": one,
        "app_metadata": json.dumps({"app_metadata": tenant}),
        "both": json.dumps({**tenant, "app_metadata": tenant}),
        "no environment": json.dumps({"organization_id": organization}),
        "with a role": json.dumps({**tenant, "role": "postgres"}),
        "with role authenticator": json.dumps({**tenant, "role": "verifier", "sub": "authenticator"}),
        "upper case": json.dumps({**tenant, "organization_id": organization.upper()}),
        "in braces": json.dumps({**tenant, "organization_id": f"{{{organization}}}"}),
        "urn": json.dumps({**tenant, "organization_id": f"urn:uuid:{organization}"}),
        "without hyphens": json.dumps({**tenant, "organization_id": organization.replace("-", "")}),
        "twice": f'{{"organization_id": null, {one[1:]}',
        "escaped": one.replace("organization", "\\u006frganization"),
        "spaces around": f"  \n{one}\t ",
        "a megabyte": json.dumps({"padding": "x" * 2**20, **tenant}),
        "deep": json.dumps({**tenant, "deep": json.loads("[" * 100 + "]" * 100)}),
        "unicode": json.dumps({**tenant, "sub": "\u202e\U0001f511\ufeff"}, ensure_ascii=False),
        "a subject with NUL": one[:-1] + ', "sub": "a\\u0000b"}',
        "expired": json.dumps({**tenant, "exp": 0}),
        "alg none": json.dumps({**tenant, "alg": "none"}),
    }.items()


# Claims that name no organization, even for an authenticator: each is either no credential or refused.
def broken_claims(organization, other):
    yield from {
        "empty": "",
        "an empty object": "{}",
        "null": "null",
        "an array": "[]",
        "a number": "7",
        "a text": f'"{organization}"',
        "true": "true",
        "not JSON": "{organization_id}",
        "cut off": f'{{"organization_id": "{organization}"',
        "single quotes": f"{{'organization_id': '{organization}'}}",
        "two objects": f'{{}} {{"organization_id": "{organization}"}}',
        "organization null": '{"organization_id": null}',
        "organization empty": '{"organization_id": ""}',
        "organization a number": '{"organization_id": 1}',
        "organization true": '{"organization_id": true}',
        "organization in a list": f'{{"organization_id": ["{organization}"]}}',
        "organization in an object": f'{{"organization_id": {{"organization_id": "{organization}"}}}}',
        "organization with SQL": f'{{"organization_id": "{organization}\' OR true --"}}',
        "organization with a space": f'{{"organization_id": "{organization} "}}',
        "organization with a NUL": f'{{"organization_id": "{organization}\\u0000"}}',
        "organization cut": f'{{"organization_id": "{organization[:-1]}"}}',
        "a wildcard": '{"organization_id": "*"}',
        "nil": '{"organization_id": "00000000-0000-0000-0000-000000000000"}',
        "other letters": f'{{"Organization_Id": "{organization}"}}',
        "a NUL in the name": f'{{"organization_id\\u0000": "{organization}"}}',
        "a dotted name": f'{{"app_metadata.organization_id": "{organization}"}}',
        "app_metadata a list": f'{{"app_metadata": [{{"organization_id": "{organization}"}}]}}',
        "user_metadata": f'{{"user_metadata": {{"organization_id": "{organization}"}}}}',
        "raw_user_meta_data": f'{{"raw_user_meta_data": {{"organization_id": "{organization}"}}}}',
        "in an array": f'[{{"organization_id": "{organization}"}}]',
        "environment wrong": f'{{"organization_id": "{organization}", "environment": "LIVE"}}',
        "environment a list": f'{{"organization_id": "{organization}", "environment": ["live"]}}',
        "two organizations": (
            f'{{"organization_id": "{organization}", "app_metadata": {{"organization_id": "{other}"}}}}'
        ),
        "two environments": (
            f'{{"organization_id": "{organization}", "app_metadata": {{"organization_id": "{organization}",'
            ' "environment": "test"}}'
        ),
        "subject too long": f'{{"organization_id": "{organization}", "sub": "{"x" * 256}"}}',
        "too deep": f'{{"deep": {"[" * 10_000}{"]" * 10_000}, "organization_id": "{organization}"}}',
    }.items()


def request(claims, headers=None, role=None, local=True):
    """`claims` is a text, or a function that makes one of an organization's id."""

    def action(me):
        if role:
            me.raw(f"SET ROLE {role}")
        me.raw("BEGIN")
        me.request(headers and me.fill_in(headers), written(me, claims), local)
        me.loot()

    return action


def written(me, claims):
    return claims(me.victim["organization_id"]) if callable(claims) else me.fill_in(claims)


def claim_attacks():
    for how, _ in claims_of(""):
        claims = partial(lambda how, organization: dict(claims_of(organization))[how], how)
        yield Attack(f"claims: {how}", "anonymous", request(claims))
        yield Attack(f"claims of a session: {how}", "B's role", request(claims, local=False))
        yield Attack(f"claims beside a key: {how}", "B's secret key", request_with_key(claims))
    for how, _ in broken_claims("", ""):
        claims = partial(
            lambda how, organization: dict(broken_claims(organization, "00000000-0000-0000-0000-000000000000"))[how],
            how,
        )
        yield Attack(f"broken claims: {how}", "anonymous", request(claims))
        yield Attack(f"broken claims at the authenticator: {how}", "authenticator", request(claims, role="web"))
    for how, headers in headers_of():
        yield Attack(f"headers: {how}", "anonymous", request("{}", headers))
        yield Attack(f"headers at the authenticator: {how}", "authenticator", request("{}", headers, role="web"))
    yield Attack(
        "claims that a publishable key would rise by",
        "A's publishable key",
        request_with_key('{"organization_id": "$VICTIM", "sub": "admin"}'),
    )
    yield Attack("claims in the authenticator's own name", "verifier", request('{"organization_id": "$VICTIM"}'))
    yield Attack(
        "claims before the role", "anonymous", connects(options='-c request.jwt.claims={"organization_id":"$VICTIM"}')
    )


def request_with_key(claims):
    def action(me):
        me.request(json.dumps({"x-api-key": me.key}), written(me, claims))
        me.loot()
        me.raw("ROLLBACK")
        me.present_key()
        me.request("{}", written(me, claims))
        me.loot()

    return action


def headers_of():
    yield from {
        "organization": '{"x-organization-id": "$VICTIM", "organization_id": "$VICTIM"}',
        "setting": '{"checkout_sessions.organization_id": "$VICTIM", "x-environment": "live"}',
        "claims": '{"request.jwt.claims": {"organization_id": "$VICTIM"}, "jwt": "{}"}',
        "key empty": '{"x-api-key": ""}',
        "key null": '{"x-api-key": null}',
        "key a list": '{"x-api-key": ["sk_live_"]}',
        "key a number": '{"x-api-key": 0}',
        "key an object": '{"x-api-key": {"api_key": "sk_live_"}}',
        "key the organization": '{"x-api-key": "$VICTIM"}',
        "key with SQL": '{"x-api-key": "\' OR true --"}',
        "key a wildcard": '{"x-api-key": "sk_live_%"}',
        "key a megabyte": '{"x-api-key": "sk_live_' + "A" * 2**20 + '"}',
        "bearer empty": '{"authorization": "Bearer "}',
        "bearer a wildcard": '{"authorization": "Bearer sk_live_*"}',
        "bearer none": '{"authorization": "Bearer eyJhbGciOiJub25lIn0.eyJvcmdhbml6YXRpb25faWQiOiIqIn0."}',
        "basic": '{"authorization": "Basic c2tfbGl2ZV8="}',
        "not an object": '["x-api-key"]',
        "not JSON": "x-api-key: sk_live_",
        "number": "0",
        "deep": '{"x-api-key": ' + "[" * 200 + "]" * 200 + "}",
    }.items()


def attacks():
    yield from setting_attacks()
    yield from claim_attacks()
