"""Two organizations full of canaries, and intruders who try to see or change the data of others.

Every text and every secret of a tenant contains the tenant's own marker word, its canary. An attack has succeeded if an
intruder receives a foreign canary, in rows, errors or notices; if it acts for a foreign tenant; if anything of a
foreign tenant has changed; or if a backend has crashed.
"""

import zlib
from contextlib import closing
from typing import Callable, NamedTuple

from attacks.intruder import INTRUDERS, TENANTS, Intruder

ROLES = ["web", "shop_b", "browser_a", "plain", "verifier", "authenticator"]
TABLES = [
    "organizations",
    "api_keys",
    "checkout_sessions",
    "open_sessions",
    "idempotency_keys",
    "payments",
    "webhook_outbox",
    "webhook_endpoints",
    "webhook_deliveries",
    "webhook_attempts",
    "webhook_consumers",
    "products",
    "inventory",
    "inventory_changes",
    "prices",
    "coupons",
]
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def time_of(table):
    """The column with the time at which a row was written; open_sessions has none."""
    return {"webhook_attempts": "recorded_at", "open_sessions": "deadline", "inventory": "updated_at"}.get(table, "created_at")


# The rights of everyone, in both schemas and on the server.
RIGHTS = """
    SELECT concat(
        (SELECT md5(string_agg(concat(proname, proacl, proowner, proconfig, prosrc), ',' ORDER BY oid))
            FROM pg_proc WHERE pronamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace)),
        (SELECT md5(string_agg(concat(relname, relacl, relowner, relrowsecurity, relhastriggers), ',' ORDER BY oid))
            FROM pg_class WHERE relnamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace)),
        (SELECT md5(string_agg(concat(nspname, nspacl), ',' ORDER BY oid))
            FROM pg_namespace WHERE nspname ~ '^checkout'),
        (SELECT md5(string_agg(concat(rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,
            rolreplication, rolbypassrls), ',' ORDER BY oid)) FROM pg_roles),
        (SELECT md5(string_agg(m::text, ',' ORDER BY m)) FROM pg_auth_members m),
        (SELECT string_agg(concat(setrole::regrole, s), ',' ORDER BY setrole, s)
            FROM pg_db_role_setting, unnest(setconfig) s WHERE s LIKE 'checkout_sessions.%'),
        (SELECT string_agg(p::text, ',') FROM pg_parameter_acl p)) AS rights"""


# Which versions of rows there are, of all that state() reads: a quick way to learn that nothing has been written.
VERSIONS = "PREPARE versions AS SELECT ARRAY[{}] AS versions".format(", ".join(
    f"(SELECT sum(hashtext(ctid::text || xmin || xmax || tableoid)) FROM {table} {where})"
    for table, where in [
        *((f"checkout_data.{table}", "") for table in TABLES),
        ("pg_proc", "WHERE pronamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace)"),
        ("pg_class", "WHERE relnamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace)"),
        *((table, "") for table in ("pg_namespace", "pg_authid", "pg_auth_members", "pg_db_role_setting", "pg_parameter_acl")),
    ]))


class Attack(NamedTuple):
    name: str
    who: str
    action: Callable


def canary(tenant):
    return f"canary_{tenant.replace(' ', '_')}"


def checksummed(key):
    """The key with the right checksum for its other characters: the attacker knows how to compute it."""
    rest, digits = zlib.crc32(key[:63].encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = ALPHABET[digit] + digits
    return key[:63] + digits


class Lab:
    def __init__(self, server):
        self.server = server
        self.db = server.database("lab")
        self.superuser = None
        server.database().sql("CREATE DATABASE lab")
        sql = self.db.sql
        sql("CREATE EXTENSION checkout_sessions")
        self.organizations = {
            name: self.db.value(
                "SELECT checkout.create_organization(%s, base_url => %s)",
                f"canary_{name}_name",
                f"https://pay.example/canary_{name}_url",
            )
            for name in ("alpha", "bravo")
        }
        for role in ROLES:
            # Open to everyone, so that it is in every search path.
            sql(
                f"CREATE ROLE {role} LOGIN NOINHERIT; CREATE SCHEMA own_{role} AUTHORIZATION {role}; "
                f"GRANT USAGE ON SCHEMA own_{role} TO PUBLIC"
            )
        sql("CREATE ROLE shop_a LOGIN; GRANT web TO authenticator")
        for role, access in [
            ("web", "request"),
            ("shop_a", "secret"),
            ("shop_b", "secret"),
            ("browser_a", "publishable"),
            ("verifier", "authenticator"),
            ("authenticator", "authenticator"),
        ]:
            sql("SELECT checkout.grant_access(%s, %s)", role, access)
        for role, name in [("shop_a", "alpha"), ("shop_b", "bravo"), ("browser_a", "alpha")]:
            sql(f"ALTER ROLE {role} SET checkout_sessions.organization_id = '{self.organizations[name]}'")
        self.keys = {
            (tenant, kind): self.make_key(tenant, kind) for tenant in TENANTS for kind in ("secret", "publishable")
        }
        self.revoked, self.expired = (self.make_key("alpha live", "secret") for _ in range(2))
        sql("SELECT checkout.revoke_api_key(%s)", self.revoked[:20])
        sql(
            """UPDATE checkout_data.api_keys
               SET created_at = now() - interval '2 days', expires_at = now() - interval '1 day'
               WHERE api_key_id = %s""",
            self.expired[:20],
        )
        self.targets = {tenant: self.fill(tenant) for tenant in TENANTS}
        sql("SELECT checkout.run_maintenance()")
        sql("ANALYZE")
        self.baseline = self.db.value("SELECT clock_timestamp()")
        self.secrets = {tenant: self.secrets_of(tenant) for tenant in TENANTS}

    def make_key(self, tenant, kind):
        name, environment = tenant.split()
        return self.db.value(
            "SELECT api_key FROM checkout.create_api_key(%s, %s, %s, %s)",
            self.organizations[name],
            kind,
            environment,
            canary(tenant),
        )

    def fill(self, tenant):
        """Creates sessions in every state, with payments, events and idempotency keys, a consumer, and a webhook
        endpoint that answers with errors; each text contains the tenant's canary.
        """
        word, (name, environment) = canary(tenant), tenant.split()
        texts = [
            "title",
            "description",
            "reference",
            "customer_id",
            "customer_name",
            "product_id",
            "price_id",
            "subscription_id",
            "payment_link_id",
            "idempotency_key",
            "trace_id",
        ]
        target = {"organization_id": self.organizations[name], "environment": environment, "word": word}
        with closing(self.db.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = False
            cursor.execute("SELECT * FROM checkout.authenticate(%s)", [self.keys[tenant, "secret"]])

            def call(function, **arguments):
                named = ", ".join(f"{argument} => %s" for argument in arguments)
                cursor.execute(f"SELECT * FROM checkout.{function}({named})", list(arguments.values()))
                return cursor.fetchone()

            endpoint = call("create_webhook_endpoint", url=f"https://{name}.example/{word}", description=word)
            target["endpoint"] = endpoint["webhook_endpoint_id"]
            # Its name is guessed by intruders, so it has no canary.
            target["consumer"] = f"jobs of {tenant}"
            consumer = call("create_webhook_consumer", name=target["consumer"])
            target["consumer id"] = consumer["webhook_consumer_id"]
            # Their ids are guessed, too, and are the same in each tenant.
            call("create_product", name=word, product_id="mug", description=word, on_hand=10)
            call("adjust_inventory", product_id="mug", change=1, reason=word)
            call("create_price", product_id="mug", currency_code="USD", amount=10, price_id="mug-usd", description=word)
            call("create_coupon", code="TEN", percent_off=10, description=word)
            sold = call("create_checkout_session", amount=10, currency_code="USD", customer_id=word, title=word, coupon_code="TEN",
                        allow_quantity=True, allow_coupon_code=True, require_billing_address=True)
            target["sold"] = sold["checkout_session_id"]
            call("set_billing_address", checkout_session_id=target["sold"], address=f'{{"country": "SN", "city": "{word}"}}')
            call("create_price", product_id="mug", currency_code="USD", amount=9, price_id="monthly", interval_unit="month")
            call("update_organization", organization_id=target["organization_id"], uses_catalog=True)
            begun = call("create_checkout_session", price_id="monthly", customer_id=word)
            call("update_organization", organization_id=target["organization_id"], uses_catalog=False)
            call("record_payment", checkout_session_id=begun["checkout_session_id"], payment_id=f"{word}_first", outcome="succeeded")
            target["subscription"] = begun["subscription_id"]
            # A customer whose address each tenant has.
            of_all = call("create_checkout_session", amount=10, currency_code="USD", customer_email="everyone@shop.example", title=word)
            call("expire_checkout_session", checkout_session_id=of_all["checkout_session_id"])
            # As if a call had been refused, and a hook had failed, with a text of the tenant.
            cursor.execute(
                """INSERT INTO checkout_data.request_failures (organization_id, environment, minute, function_name, sqlstate,
                       failure_count, last_message, last_failed_at)
                   VALUES (%s, %s, date_trunc('minute', now()), 'create_checkout_session', '22023', 1, %s, clock_timestamp())""",
                [target["organization_id"], environment, word],
            )
            cursor.execute(
                """INSERT INTO checkout_data.hook_failures (organization_id, environment, hook_failure_id, checkout_session_id,
                       event, function_name, sqlstate, message, created_at)
                   VALUES (%s, %s, gen_random_uuid(), %s, 'completed', 'shop.hook', 'P0001', %s, clock_timestamp())""",
                [target["organization_id"], environment, begun["checkout_session_id"], word])
            for state in ("open", "processing", "complete", "failed", "expired"):
                session = call(
                    "create_checkout_session",
                    amount=10,
                    currency_code="USD",
                    expires_in="40 hours",
                    customer_email=f"{word}_{state}@example.com",
                    metadata=f'{{"{word}": "{word}"}}',
                    success_url=f"https://{name}.example/{word}",
                    cancel_url=f"https://{name}.example/{word}",
                    payment_methods=[word, "card"],
                    **{text: f"{word}_{state}_{text}" for text in texts},
                )
                target[state] = session["checkout_session_id"]
                target[f"{state} secret"] = session["client_secret"]
                target[f"{state} payment"] = payment = f"{word}_{state}_payment"
                visit = {"checkout_session_id": target[state], "client_secret": session["client_secret"]}
                call("cancel_checkout_session", **visit, reason_code=word.lower(), reason=word)
                if state == "processing":
                    call(
                        "begin_payment",
                        checkout_session_id=target[state],
                        payment_id=payment,
                        payment_method=word,
                        lease="15 minutes",
                    )
                elif state == "complete":
                    call(
                        "record_payment",
                        checkout_session_id=target[state],
                        payment_id=payment,
                        outcome="succeeded",
                        payment_method=word,
                    )
                elif state == "failed":
                    for attempt in range(4):
                        call(
                            "record_payment",
                            checkout_session_id=target[state],
                            payment_id=f"{payment}{attempt or ''}",
                            outcome="failed",
                            failure_code=word,
                            failure_message=word,
                        )
                elif state == "expired":
                    call("expire_checkout_session", checkout_session_id=target[state])
            connection.commit()
        target["event"] = self.db.value(
            "SELECT checkout_data.event_id(organization_id, environment, subject_id, sequence, created_at)"
            " FROM checkout_data.webhook_outbox WHERE subject_id = %s LIMIT 1",
            target["complete"],
        )
        self.db.sql(
            "SELECT checkout.record_webhook_attempt(event_id, webhook_endpoint_id, lease_token, 500, %s, response_body => %s)"
            " FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = %s",
            word,
            word,
            target["endpoint"],
        )
        return target

    def secrets_of(self, tenant):
        """The texts of a tenant that must not be seen: its canary, its organization's, and all of its secrets."""
        (name, environment), target = tenant.split(), self.targets[tenant]
        stored = self.db.sql(
            """SELECT encode(digest::bytea, 'hex') AS secret FROM checkout_data.api_keys
               WHERE organization_id = %s AND environment = %s
               UNION ALL
               SELECT encode(client_secret_key::bytea, 'hex') FROM checkout_data.organizations
               WHERE organization_id = %s
               UNION ALL
               SELECT secret FROM checkout_data.webhook_endpoints WHERE organization_id = %s AND environment = %s""",
            target["organization_id"],
            environment,
            target["organization_id"],
            target["organization_id"],
            environment,
        )
        clients = [target[f"{state} secret"] for state in ("open", "processing", "complete", "failed", "expired")]
        return [canary(tenant), f"canary_{name}_", *(row["secret"] for row in stored), *clients]

    def state(self):
        """For each tenant a checksum over all its rows, and one over those that existed first; and the rights of all
        roles.
        """
        parts = []
        for table in TABLES:
            # A failed attempt may change only the time at which its key was last used.
            row = "to_jsonb(t) - '{last_used_at}'::text[]"
            environment = "'-'" if table == "organizations" else "t.environment::text"
            written_at = f"t.{time_of(table)}"
            if table == "open_sessions":
                written_at = ("(SELECT s.created_at FROM checkout_data.checkout_sessions s"
                              " WHERE s.checkout_session_id = t.checkout_session_id)")
            parts.append(
                f"SELECT t.organization_id, {environment} AS environment, {written_at} AS created_at, '{table}' || ({row})::text AS"
                f" text FROM checkout_data.{table} t"
            )
        rows = self.ask(
            f"""
            SELECT organization_id::text, environment, md5(string_agg(text, ',' ORDER BY text)) AS everything,
                md5(string_agg(text, ',' ORDER BY text) FILTER (WHERE created_at < %s)) AS first
            FROM ({' UNION ALL '.join(parts)}) AS t GROUP BY 1, 2""",
            self.baseline,
        )
        sums = {(row["organization_id"], row["environment"]): (row["everything"], row["first"]) for row in rows}
        (rights,) = self.ask(RIGHTS)
        return {
            tenant: (
                sums.get((self.organizations[tenant.split()[0]], tenant.split()[1])),
                sums.get((self.organizations[tenant.split()[0]], "-")),
            )
            for tenant in TENANTS
        } | rights

    def versions(self):
        (row,) = self.ask("EXECUTE versions")
        return row["versions"]

    def ask(self, query, *parameters):
        """Runs a query as the superuser, on one connection."""
        if self.superuser is None:
            self.superuser = self.db.connect()
            with self.superuser.cursor() as cursor:
                cursor.execute(VERSIONS)
        with self.superuser.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else None

    def run(self, attacks):
        """Runs attacks one after the other. Returns those that succeeded, and those that were none: lists of (name,
        what).
        """
        self.superuser, breaches, blunders = None, [], []
        before, versions = self.state(), self.versions()
        for attack in attacks:
            intruder = Intruder(self, attack.who)
            try:
                attack.action(intruder)
            finally:
                intruder.leave()
            written = versions != (versions := self.versions())
            after = self.state() if written else before
            breaches += [
                (attack.name, attack.who, what) for what in [*intruder.breaches(), *changes(attack.who, before, after)]
            ]
            blunders += [(attack.name, attack.who, what) for what in intruder.blunders]
            if after != before:
                # Removes the attackers' own sessions, endpoints and consumers, because the lists would become longer
                # from attack to attack.
                self.ask("DELETE FROM checkout_data.webhook_endpoints WHERE created_at >= %s", self.baseline)
                self.ask("DELETE FROM checkout_data.webhook_consumers WHERE created_at >= %s", self.baseline)
                for table in ("webhook_deliveries", "webhook_outbox", "idempotency_keys", "payments", "open_sessions",
                              "hook_failures", "checkout_sessions"):
                    session = "subject_id" if table.startswith("webhook_") else "checkout_session_id"
                    self.ask(
                        f"""DELETE FROM checkout_data.{table} WHERE {session} IN (
                        SELECT checkout_session_id FROM checkout_data.checkout_sessions WHERE created_at >= %s)""",
                        self.baseline,
                    )
                after, versions = self.state(), self.versions()
            before = after
        return breaches, blunders


def changes(who, before, after):
    _, key, own = INTRUDERS[who]
    for tenant in TENANTS:
        (rows, organization), (rows_after, organization_after) = before[tenant], after[tenant]
        # An attacker who may create sessions for A may add rows, but not change any.
        may_add = tenant == ("alpha live" if who == "A's browser" else key and key[0])
        unchanged = rows[1] == rows_after[1] if may_add else rows == rows_after
        if tenant != own and not unchanged:
            yield f"rows of {tenant} have changed"
        if organization != organization_after:
            yield f"the organization of {tenant} has changed"
    if before["rights"] != after["rights"]:
        yield "rights or settings have changed"
