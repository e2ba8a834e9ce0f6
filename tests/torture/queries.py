"""Queries of a tenant who is curious about others, made by chance: views, functions, joins, leaks, cursors, guesses."""

import json

from hostile import SETTINGS

VIEWS = [
    "checkout_sessions",
    "open_checkout_sessions",
    "payments",
    "refunds",
    "webhook_events",
    "webhook_deliveries",
    "webhook_attempts",
    "webhook_endpoints",
    "products",
    "inventory",
    "inventory_changes",
    "prices",
    "coupons",
    "session_lines",
    "session_terms",
    "subscriptions",
    "session_periods",
    "session_visits",
    "hook_failures",
]
# Functions that return rows of the tenant, without arguments.
LISTS = [
    "list_checkout_sessions",
    "list_payments",
    "list_products",
    "list_prices",
    "list_coupons",
    "list_subscriptions",
    "list_webhook_events",
    "list_webhook_endpoints",
    "list_webhook_consumers",
    "coupon_performance",
    "session_funnel",
    "current_credential",
]
# What belongs to a row of a view.
OF_A_ROW = {
    "checkout_sessions": [
        "payments",
        "webhook_events",
        "session_lines",
        "session_terms",
        "session_periods",
        "session_visits",
    ],
    "payments": ["refunds", "checkout_session"],
    "products": ["prices", "inventory_changes"],
    "refunds": ["payment"],
    "webhook_events": ["webhook_deliveries"],
    "webhook_deliveries": ["webhook_attempts"],
    "prices": ["product"],
    "session_periods": ["subscription"],
}
TABLES = [
    "checkout_sessions",
    "open_sessions",
    "payments",
    "api_keys",
    "organizations",
    "webhook_outbox",
    "webhook_endpoints",
    "idempotency_keys",
    "session_terms",
    "coupons",
    "products",
]
# Shows its argument before any other condition is checked, if the planner lets it.
LEAK = """CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 PARALLEL SAFE
    AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'"""


class Queries:
    def __init__(self, chance, targets, role, version):
        self.chance, self.role = chance, role
        # Ids of others, which somebody might know.
        self.ids = [
            str(target[what])
            for target in targets
            for what in ("open", "processing", "complete", "failed", "expired", "sold")
        ]
        self.others = [
            str(target[what])
            for target in targets
            for what in ("endpoint", "subscription", "consumer id", "organization_id")
        ]
        self.organizations = [str(target["organization_id"]) for target in targets]
        self.parallel = "debug_parallel_query" if version >= 16_00_00 else "force_parallel_mode"

    def settings(self):
        """Some settings, as statements."""
        chosen = {
            name: self.chance.choice(SETTINGS[name])
            for name in self.chance.sample(list(SETTINGS), self.chance.randint(0, 14))
        }
        # These make a query take tens of milliseconds, so few connections have them.
        if self.chance.random() < 0.03:
            chosen[self.parallel] = self.chance.choice(["on", "regress"])
        if self.chance.random() < 0.01:
            chosen |= {"jit": "on", "jit_above_cost": "0", "jit_inline_above_cost": self.chance.choice(["0", "-1"])}
        else:
            chosen["jit"] = "off"
        return [
            f"SET {name} = {value if value.startswith(chr(39)) or name == 'search_path' else chr(39) + value + chr(39)}"
            for name, value in chosen.items()
        ]

    def query(self):
        kinds = [
            self.plain,
            self.plain,
            self.joined,
            self.counted,
            self.leaks,
            self.breaks,
            self.of_rows,
            self.guesses,
            self.listed,
            self.forged,
            self.wrapped,
            self.wrapped,
            self.sets,
            self.tables,
            self.statistics,
        ]
        return self.chance.choice(kinds)()

    def view(self):
        return f"checkout.{self.chance.choice(VIEWS)}"

    def id(self):
        return self.chance.choice(self.ids + self.others)

    def limit(self):
        return self.chance.choice(
            ["", " LIMIT 3", " LIMIT 20", " ORDER BY 1 LIMIT 5", " ORDER BY 2 DESC NULLS LAST LIMIT 5", " OFFSET 1"]
        )

    def condition(self, name="v"):
        return self.chance.choice(
            [
                "true",
                f"{name}::text <> ''",
                f"{name}::text LIKE '%canary%'",
                f"{name}::text ~ '[a-z]'",
                f"{name} IS NOT NULL",
                f"to_jsonb({name}) ->> 'organization_id' <> '{self.chance.choice(self.organizations)}'",
                f"to_jsonb({name}) ->> 'organization_id' = '{self.chance.choice(self.organizations)}'",
                f'to_jsonb({name}) @> \'{{"environment": "test"}}\'',
                f"to_jsonb({name})::text LIKE '%{self.id()}%'",
                "random() < 0.5",
                f"EXISTS (SELECT FROM {self.view()} x WHERE x::text > {name}::text)",
                f"{name}::text < ALL (SELECT y::text FROM {self.view()} y)",
                "NOT false OR 1/0 > 0",
            ]
        )

    def plain(self):
        what = self.chance.choice(
            ["*", "v", "v::text", "to_jsonb(v)", "v.*, ctid", "md5(v::text), v", "row_number() OVER (), v"]
        )
        return f"SELECT {what} FROM {self.view()} v WHERE {self.condition()}{self.limit()}"

    def joined(self):
        how = self.chance.choice(["JOIN", "LEFT JOIN", "FULL JOIN", "CROSS JOIN"])
        on = (
            ""
            if how == "CROSS JOIN"
            else self.chance.choice(
                [
                    " ON true" if how != "FULL JOIN" else " ON a::text = b::text",
                    " ON a::text = b::text",
                    " USING (organization_id)",
                    " USING (checkout_session_id)",
                    " USING (organization_id, environment)",
                ]
            )
        )
        return f"SELECT a::text, b::text FROM {self.view()} a {how} {self.view()} b{on} WHERE {self.condition('a')} LIMIT 10"

    def counted(self):
        what = self.chance.choice(
            [
                "count(*)",
                "string_agg(v::text, ',')",
                "max(v::text)",
                "min(v::text)",
                "json_agg(v)",
                "array_agg(v::text)",
                "count(*) FILTER (WHERE v::text LIKE '%alpha%')",
                "string_agg(DISTINCT left(v::text, 80), '')",
            ]
        )
        group = self.chance.choice(
            [
                "",
                "",
                " GROUP BY GROUPING SETS ((), (v::text)) LIMIT 9",
                f" HAVING count(*) > {self.chance.choice([0, 5])}",
            ]
        )
        return f"SELECT {what} FROM {self.view()} v WHERE {self.condition()}{group}"

    def leaks(self):
        maybe = self.chance.choice(["", "NOT "])
        return f"SELECT count(*) FROM {self.view()} v WHERE {maybe}pg_temp.leak(v::text) AND {self.condition()}"

    def breaks(self):
        """An error whose message has a value in it."""
        how = self.chance.choice(
            [
                "v::text::integer",
                "v::text::uuid",
                "(to_jsonb(v) ->> 'title')::integer",
                "to_date(v::text, 'YYYY')",
                "v::text::jsonb",
                "('{' || v::text)::text[]",
                "1 / (length(v::text) - length(v::text))",
            ]
        )
        return f"SELECT {how} FROM {self.view()} v WHERE {self.condition()}{self.limit()}"

    def of_rows(self):
        view, functions = self.chance.choice(list(OF_A_ROW.items()))
        function = self.chance.choice(functions)
        return self.chance.choice(
            [
                f"SELECT v::text, f::text FROM checkout.{view} v, checkout.{function}(v) f{self.limit()}",
                f"SELECT count(*) FROM checkout.{view} v, LATERAL checkout.{function}(v) f WHERE {self.condition()}",
            ]
        )

    def forged(self):
        """A row that is not its own, for what belongs to it."""
        view, functions = self.chance.choice(list(OF_A_ROW.items()))
        members = {
            "checkout_session_id": self.chance.choice(self.ids), "subject_id": self.chance.choice(self.ids), "sequence": 1,
            "organization_id": self.chance.choice(self.organizations), "environment": self.chance.choice(["live", "test"]),
            "product_id": "mug", "price_id": "mug-usd", "subscription_id": self.chance.choice(self.others),
            "webhook_endpoint_id": self.chance.choice(self.others)}
        row = f"jsonb_populate_record(NULL::checkout.{view}, '{json.dumps(members)}')"
        return f"SELECT f::text FROM checkout.{self.chance.choice(functions)}({row}) f"

    def guesses(self):
        one, other = self.chance.choice(self.ids), self.chance.choice(self.others)
        return (
            "SELECT f::text FROM checkout."
            + self.chance.choice(
                [
                    f"get_checkout_session('{one}')",
                    f"list_payments('{one}')",
                    f"list_session_lines('{one}')",
                    f"list_checkout_sessions(starting_after => '{one}')",
                    f"list_checkout_sessions(ending_before => '{one}')",
                    f"expire_checkout_session('{one}')",
                    f"begin_payment('{one}', 'guess')",
                    f"record_payment('{one}', 'guess', 'succeeded')",
                    f"recover_checkout_session('{one}')",
                    f"apply_payment('guess', '{one}')",
                    f"list_webhook_deliveries('{other}')",
                    f"get_subscription('{other}')",
                    f"cancel_subscription('{other}')",
                    f"roll_webhook_secret('{other}')",
                    f"public_checkout_session('{one}', 'cs_secret_')",
                    f"list_webhook_events('{one}')",
                    f"redeliver_webhook_events(webhook_endpoint_id => '{other}')",
                    f"page_policy('{one}')",
                    f"handle_request('lomi', 'GET', '/checkout-sessions/{one}')",
                    "handle_request('kobo', 'GET', '/checkout/sessions')",
                    "claim_webhook_events('jobs of alpha live')",
                    "claim_webhook_events('jobs of bravo live')",
                    f"set_quantity('{one}', quantity => 2)",
                    f"session_id('{one}')",
                ]
            )
            + " f"
        )

    def listed(self):
        return f"SELECT f::text FROM checkout.{self.chance.choice(LISTS)}() f WHERE {self.condition('f')}{self.limit()}"

    def wrapped(self):
        """The same in a statement of another kind."""
        inner = self.chance.choice([self.plain, self.counted, self.listed, self.leaks, self.of_rows])()
        return self.chance.choice(
            [
                f"EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF) {inner}",
                f"COPY ({inner}) TO STDOUT",
                f"DECLARE c CURSOR FOR {inner}; FETCH 5 FROM c",
                f"PREPARE p AS {inner}; EXECUTE p; EXECUTE p",
                f"WITH x AS MATERIALIZED ({inner}) SELECT x::text FROM x",
                f"CREATE TEMP TABLE t AS {inner}; SELECT t::text FROM t LIMIT 5",
                f"SELECT (SELECT string_agg(x::text, ',') FROM ({inner}) x)",
                f"SELECT x::text FROM ({inner}) x UNION ALL SELECT y::text FROM ({inner}) y",
                f"DO $do$ BEGIN RAISE NOTICE '%', (SELECT string_agg(x::text, ',') FROM ({inner}) x); END $do$",
            ]
        )

    def sets(self):
        """A setting that would make it another tenant, and a look."""
        name = self.chance.choice(
            [
                "checkout_sessions.organization_id",
                "checkout_sessions.environment",
                "checkout_sessions.credential",
                "request.jwt.claims",
                "role",
                "session_authorization",
            ]
        )
        value = self.chance.choice(
            [
                *self.organizations,
                "test",
                '{"organization_id": "%s"}' % self.chance.choice(self.organizations),
                "shop_a",
                "postgres",
                "checkout_sessions_worker",
                "checkout_sessions_api",
            ]
        )
        look = self.chance.choice([self.plain, self.listed])()
        return self.chance.choice(
            [
                f"SELECT set_config('{name}', '{value}', {self.chance.choice(['true', 'false'])}); {look}",
                f"SET LOCAL {name} = '{value}'; {look}",
                f"RESET {name}; {look}",
                f"SET SESSION {name} TO DEFAULT; {look}",
            ]
        )

    def tables(self):
        return self.chance.choice(
            [
                f"SELECT * FROM checkout_data.{self.chance.choice(TABLES)} LIMIT 5",
                f"TABLE checkout_data.{self.chance.choice(TABLES)}",
                f"SELECT count(*) FROM checkout_data.{self.chance.choice(TABLES)}",
                f"COPY checkout_data.{self.chance.choice(TABLES)} TO STDOUT",
            ]
        )

    def statistics(self):
        return self.chance.choice(
            [
                "SELECT * FROM pg_stats WHERE schemaname ~ '^checkout'",
                "SELECT query FROM pg_stat_activity",
                "SELECT * FROM pg_statistic LIMIT 1",
                "SELECT * FROM pg_stats_ext",
                "SELECT * FROM pg_locks LIMIT 5",
                "SELECT * FROM pg_cursors",
                "SELECT * FROM pg_prepared_statements",
                "SELECT * FROM pg_settings WHERE name ~ '^checkout'",
                "SELECT setconfig FROM pg_db_role_setting",
            ]
        )
