"""Every function of schema checkout, with a valid call by a role that may make it.

The suites that try all functions go through `World.calls`. A function that is missing there makes them fail.
"""

import json
from typing import NamedTuple

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


class Call(NamedTuple):
    function: str
    who: str
    arguments: dict
    # A row of a view as SQL, in place of arguments: the function returns what belongs to it.
    row: str = ""

    def sql(self, **others):
        """The call; `others` are arguments as SQL."""
        if self.row:
            return f"checkout.{self.function}({self.row})"
        given = {name: f"%({name})s" for name in self.arguments} | others
        return f"checkout.{self.function}({', '.join(f'{name} => {value}' for name, value in given.items())})"


class World:
    """An organization with data for every function."""

    def __init__(self, db):
        self.db = db
        for role in ("all_relay", "all_admin", "all_monitor", "all_web", "nobody_else"):
            if not db.sql("SELECT 1 FROM pg_roles WHERE rolname = %s", role):
                db.sql(f"CREATE ROLE {role} LOGIN")
        db.sql(
            """SELECT checkout.grant_access('all_relay', 'relay'), checkout.grant_access('all_admin', 'admin'),
                   checkout.grant_access('all_monitor', 'monitor'), checkout.grant_access('all_web', 'request')"""
        )
        self.users = {"shop": db.shop, "tester": self.in_test_environment(), "relay": "all_relay", "admin": "all_admin",
                      "monitor": "all_monitor", "web": "all_web", "superuser": "postgres"}
        self.key, self.other_key = db.create_api_key(), db.create_api_key()
        self.open = db.create()
        self.secret = db.call("get_checkout_session", checkout_session_id=self.open)[0]["client_secret"]
        db.call("create_webhook_consumer", name="jobs", event_types=["checkout.session.*"])
        self.event = self.ended()
        self.lease = db.call("claim_webhook_events", consumer="jobs")[0]["lease_token"]
        self.endpoint = db.call("create_webhook_endpoint", url="https://shop.example/hooks")[0]["webhook_endpoint_id"]
        self.sent = self.ended()
        self.sent_lease = self.value("SELECT lease_token FROM checkout.claim_webhook_deliveries() LIMIT 1")
        self.sold, self.free = self.sessions_that_sell()
        self.sold_secret = db.call("get_checkout_session", checkout_session_id=self.sold)[0]["client_secret"]
        self.expired, self.paid = db.create(), db.create()
        self.expired_secret = db.call("get_checkout_session", checkout_session_id=self.expired)[0]["client_secret"]
        db.sql("SELECT checkout.update_organization(%s, allow_restart => true)", db.organization_id)
        db.call("expire_checkout_session", checkout_session_id=self.expired)
        db.call("record_payment", checkout_session_id=self.paid, payment_id="paid", outcome="succeeded")
        db.call("record_payment", checkout_session_id=self.expired, payment_id="late", outcome="succeeded")
        db.call("create_product", name="Mug", product_id="mug", on_hand=10)
        db.call("create_price", product_id="mug", currency_code="USD", amount=12.5, price_id="mug-usd")
        db.call("create_coupon", code="TEN", percent_off=10)
        self.subscribed, self.subscription = self.that_subscribes()
        self.idle = self.value("SELECT checkout.create_organization('Idle')")

    def sessions_that_sell(self):
        """One in which the buyer may change everything, and one in which nothing is due."""
        allowed = {"allow_quantity": True, "allow_coupon_code": True, "require_billing_address": True}
        self.db.call("create_product", name="Gift", product_id="gift")
        self.db.call("create_price", product_id="gift", currency_code="USD", minimum_amount=1, price_id="gift")
        return (
            self.db.create(amount=None, lines='[{"price_id": "gift"}]', **allowed),
            self.db.create(amount=None, lines='[{"title": "Sample", "amount": 0}]'),
        )

    def that_subscribes(self):
        """A paid session, and the subscription that it has begun."""
        db = self.db
        db.call("create_price", product_id="gift", currency_code="USD", amount=9, price_id="monthly", interval_unit="month")
        db.sql("SELECT checkout.update_organization(%s, uses_catalog => true)", db.organization_id)
        session = db.call("create_checkout_session", price_id="monthly", customer_id="c")[0]
        db.sql("SELECT checkout.update_organization(%s, uses_catalog => false)", db.organization_id)
        db.call("record_payment", checkout_session_id=session["checkout_session_id"], payment_id="first", outcome="succeeded")
        return session["checkout_session_id"], session["subscription_id"]

    def in_test_environment(self):
        """A role that acts for the organization there, and a session of it."""
        db, role = self.db, "all_tester"
        if not db.sql("SELECT 1 FROM pg_roles WHERE rolname = %s", role):
            db.sql(f"CREATE ROLE {role} LOGIN")
        db.sql("SELECT checkout.grant_access(%s, 'secret')", role)
        db.sql(f"ALTER ROLE {role} IN DATABASE {db.name} SET checkout_sessions.organization_id = %s", db.organization_id)
        db.sql(f"ALTER ROLE {role} IN DATABASE {db.name} SET checkout_sessions.environment = 'test'")
        tried = db.sql("SELECT * FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c')", user=role)[0]
        self.tried, self.tried_secret = tried["checkout_session_id"], tried["client_secret"]
        return role

    def value(self, query, *parameters):
        return self.db.value(query, *parameters)

    def ended(self):
        """The final event of an expired session."""
        session = self.db.create()
        self.db.call("expire_checkout_session", checkout_session_id=session)
        return self.value(
            """SELECT checkout_data.event_id(organization_id, environment, subject_id, sequence, created_at)
               FROM checkout_data.webhook_outbox WHERE subject_id = %s""",
            session,
        )

    def missing(self):
        """The functions that are only in the database, or only here."""
        functions = self.db.sql("SELECT proname FROM pg_proc WHERE pronamespace = 'checkout'::regnamespace")
        return {row["proname"] for row in functions} ^ {call.function for call in self.calls()}

    def argument_types(self):
        """The arguments of each function, and their types."""
        rows = self.db.sql(
            """SELECT p.proname, a.name, format_type(a.type, NULL) AS type FROM pg_proc p,
                   unnest(p.proargnames, COALESCE(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes) AS a (name, type, mode)
               WHERE p.pronamespace = 'checkout'::regnamespace AND COALESCE(a.mode, 'i') = 'i'"""
        )
        types = {}
        for row in rows:
            types.setdefault(row["proname"], {})[row["name"]] = row["type"]
        return types

    def calls(self):
        webhook = {"webhook_id": "msg_1", "webhook_timestamp": "2026-01-01", "body": "{}", "secret": SECRET}
        sent = {"event_id": self.sent, "webhook_endpoint_id": self.endpoint, "lease_token": self.sent_lease}
        organization, endpoint = {"organization_id": self.db.organization_id}, {"webhook_endpoint_id": self.endpoint}
        session = {"checkout_session_id": self.open}
        visited = session | {"client_secret": self.secret}
        sold = {"checkout_session_id": self.sold, "client_secret": self.sold_secret}
        consumer = {"consumer": "jobs"}
        event = consumer | {"event_id": self.event, "lease_token": self.lease}
        attempts = json.dumps([sent | {"status_code": 500, "error": "no answer", "duration": 0.5}])
        row = lambda view, **values: f"jsonb_populate_record(NULL::checkout.{view}, '{json.dumps(values)}')"
        paid = row("checkout_sessions", checkout_session_id=self.paid)
        payment = row("payments", payment_id="paid", checkout_session_id=self.paid)
        mug = {"product_id": "mug"}
        subscription = {"subscription_id": self.subscription}
        request = {"api": "lomi", "method": "GET", "path": f"/checkout-sessions/{self.open}"}
        return [
            Call("ack_webhook_events", "shop", consumer | {"event_ids": [self.event], "lease_token": self.lease}),
            Call("activate_database", "admin", {}),
            Call("adjust_inventory", "shop", mug | {"change": 1}),
            Call("apply_coupon", "web", sold | {"code": "TEN"}),
            Call("apply_payment", "shop", session | {"payment_id": "late"}),
            Call("authenticate", "web", {"api_key": self.other_key}),
            Call("begin_payment", "shop", session | {"payment_id": "p1"}),
            Call("cancel_checkout_session", "web", visited | {"reason_code": "changed_mind"}),
            Call("cancel_subscription", "shop", subscription),
            Call("checkout_session", "shop", {}, payment),
            Call("claim_webhook_deliveries", "relay", {}),
            Call("claim_webhook_events", "shop", consumer),
            Call("coupon_performance", "shop", {}),
            Call("complete_free_checkout_session", "shop", {"checkout_session_id": self.free}),
            Call("create_api_key", "admin", organization | {"kind": "secret", "environment": "live"}),
            Call("create_checkout_session", "shop", {"amount": 1, "currency_code": "USD", "customer_id": "c"}),
            Call("create_coupon", "shop", {"code": "FIVE", "percent_off": 5}),
            Call("create_organization", "admin", {"name": "Another"}),
            Call("create_price", "shop", mug | {"currency_code": "USD", "amount": 11, "price_id": "mug-sale"}),
            Call("create_product", "shop", {"name": "Book", "product_id": "book"}),
            Call("create_webhook_consumer", "shop", {"name": "more"}),
            Call("create_webhook_endpoint", "shop", {"url": "https://shop.example/more"}),
            Call("current_credential", "shop", {}),
            Call("current_environment", "shop", {}),
            Call("current_organization_id", "shop", {}),
            Call("delete_organization", "admin", {"organization_id": self.idle, "confirm": "Idle"}),
            Call("delete_webhook_consumer", "shop", {"name": "jobs", "discard_undelivered": True}),
            Call("delete_webhook_endpoint", "shop", endpoint | {"discard_undelivered": True}),
            Call("erase_customer", "shop", {"customer_email": "nobody@shop.example"}),
            Call("expire_checkout_session", "shop", session),
            Call("expire_due_checkout_sessions", "admin", {}),
            Call("export_customer", "shop", {"customer_id": "c"}),
            Call("fold_sessions", "admin", {}),
            Call("run_maintenance", "admin", {}),
            Call("get_checkout_session", "shop", session),
            Call("get_subscription", "shop", subscription),
            Call("grant_access", "superuser", {"role": "nobody_else", "access": "secret"}),
            Call("handle_request", "shop", request),
            Call("inventory_changes", "shop", {}, row("products", **mug)),
            Call("list_admin_log", "admin", organization),
            Call("list_api_keys", "admin", organization),
            Call("list_checkout_sessions", "shop", {}),
            Call("list_coupons", "shop", {}),
            Call("list_dead_webhook_deliveries", "relay", {}),
            Call("list_hooks", "admin", {}),
            Call("list_organizations", "admin", {}),
            Call("list_payments", "shop", {"checkout_session_id": self.paid}),
            Call("list_prices", "shop", mug),
            Call("list_products", "shop", {}),
            Call("list_refunds", "shop", {"payment_id": "paid"}),
            Call("list_session_lines", "shop", {"checkout_session_id": self.sold}),
            Call("list_subscriptions", "shop", {}),
            Call("list_webhook_attempts", "shop", {"event_id": self.sent}),
            Call("list_webhook_consumers", "shop", {}),
            Call("list_webhook_deliveries", "shop", endpoint),
            Call("list_webhook_endpoints", "shop", {}),
            Call("list_webhook_events", "shop", {}),
            Call("monitor_figures", "monitor", {}),
            Call("nack_webhook_event", "shop", event),
            Call("next_webhook_attempt_at", "relay", {}),
            Call("open_checkout_session", "web", visited),
            Call("outbox_status", "admin", {}),
            Call("page_policy", "web", session),
            Call("payment", "shop", {}, row("refunds", payment_id="paid")),
            Call("payments", "shop", {}, paid),
            Call("pre_request", "web", {}),
            Call("prices", "shop", {}, row("products", **mug)),
            Call("product", "shop", {}, row("prices", **mug)),
            Call("public_checkout_session", "web", visited),
            Call("record_payment", "shop", session | {"payment_id": "p1", "outcome": "failed"}),
            Call("record_refund", "shop", {"payment_id": "paid", "refund_id": "re_1", "amount": 1}),
            Call("record_webhook_attempt", "relay", sent | {"status_code": 500}),
            Call("record_webhook_attempts", "relay", {"attempts": attempts}),
            Call("recover_checkout_session", "shop", {"checkout_session_id": self.expired}),
            Call("redeliver_webhook_events", "shop", {"event_ids": [self.event]}),
            Call("redirect_url", "shop", {"url": "https://shop.example/"} | session),
            Call("refunds", "shop", {}, payment),
            Call("release_webhook_delivery", "relay", sent),
            Call("remove_coupon", "shop", {"checkout_session_id": self.sold}),
            Call("render_webhook_event", "relay", {"event_id": self.event, "api": "lomi"}),
            Call("restart_checkout_session", "web",
                 {"checkout_session_id": self.expired, "client_secret": self.expired_secret}),
            Call("resume_subscription", "shop", subscription),
            Call("revoke_access", "superuser", {"role": "nobody_else", "access": "secret"}),
            Call("revoke_api_key", "admin", {"api_key_id": self.other_key[:20]}),
            Call("roll_api_key", "admin", {"api_key_id": self.other_key[:20]}),
            Call("roll_webhook_secret", "shop", endpoint),
            Call("rotate_client_secrets", "admin", organization),
            Call("security_report", "admin", {}),
            Call("session_funnel", "shop", {}),
            Call("session_id", "shop", {"id": f"cs_{str(self.open).replace('-', '')}"}),
            Call("session_lines", "shop", {}, row("checkout_sessions", checkout_session_id=self.sold)),
            Call("session_periods", "shop", {}, row("checkout_sessions", checkout_session_id=self.subscribed)),
            Call("session_terms", "shop", {}, row("checkout_sessions", checkout_session_id=self.sold)),
            Call("session_visits", "shop", {}, row("checkout_sessions", checkout_session_id=self.open)),
            Call("set_billing_address", "web", sold | {"address": '{"country": "SN"}'}),
            Call("set_hook", "admin", organization | {"event": "expired", "function": None}),
            Call("set_quantity", "web", sold | {"quantity": 2}),
            Call("set_unit_amount", "web", sold | {"unit_amount": 5}),
            Call("sign_webhook", "shop", webhook),
            Call("simulate_payment", "tester", {"checkout_session_id": self.tried, "scenario": "complete"}),
            Call("simulate_public_payment", "web",
                 {"checkout_session_id": self.tried, "client_secret": self.tried_secret, "scenario": "complete"}),
            Call("subscription", "shop", {}, row("session_periods", **subscription)),
            Call("update_coupon", "shop", {"code": "TEN", "active": True}),
            Call("update_organization", "admin", organization),
            Call("update_price", "shop", {"price_id": "mug-usd"}),
            Call("update_product", "shop", mug),
            Call("update_webhook_endpoint", "shop", endpoint),
            Call("verify_restore", "admin", {}),
            Call("verify_webhook", "shop", {"headers": "{}", "body": "{}", "secret": SECRET, "tolerance": "1 hour"}),
            Call("webhook_attempts", "shop", {}, row(
                "webhook_deliveries", webhook_endpoint_id=self.endpoint, subject_id=self.expired, sequence=1)),
            Call("webhook_deliveries", "shop", {}, row("webhook_events", subject_id=self.expired, sequence=1)),
            Call("webhook_events", "shop", {}, paid),
            Call("worker_status", "admin", {}),
        ]
