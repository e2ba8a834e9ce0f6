"""A shop that has been open for a week: sessions with every end, payments, refunds, webhooks, products and coupons."""

import json

HOSTILE = "<img src=x onerror=\"document.title='attacked'\"> '\"); DROP TABLE x; --\u202e=1+1"
FAILURE = {"status_code": 503, "error": "no 2xx", "response_body": HOSTILE}
ENDPOINT = "https://hooks.shop.example/checkout"

# Moves every session that has ended, and all that belongs to it, some days into the past. Its id has its time, too.
INTO_THE_PAST = """
SET session_replication_role TO replica;
CREATE TEMPORARY TABLE moved AS
SELECT s.checkout_session_id AS old, encode(overlay(uuid_send(s.checkout_session_id) PLACING substring(int8send(
    ('x' || translate(left(s.checkout_session_id::text, 13), '-', ''))::bit(48)::bigint - {days} * 86400000) FROM 3)
    FROM 1 FOR 6), 'hex')::uuid AS new
FROM checkout_data.checkout_sessions s
LEFT JOIN checkout_data.open_sessions o USING (checkout_session_id)
WHERE o.deadline IS NULL AND s.created_at > now() - interval '12 hours';
DO $$
DECLARE
    place record;
BEGIN
    FOR place IN
        SELECT c.oid::regclass AS name, a.attname AS key, COALESCE((
            SELECT string_agg(format(', %1$I = t.%1$I - interval ''{days} days''', b.attname), '')
            FROM pg_attribute b
            WHERE b.attrelid = c.oid AND b.attnum > 0 AND b.atttypid = 'timestamptz'::regtype), '') AS times
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('checkout_session_id', 'subject_id')
        WHERE c.relnamespace = 'checkout_data'::regnamespace AND c.relkind = 'r'
    LOOP
        EXECUTE format('UPDATE %s t SET %I = m.new %s FROM moved m WHERE t.%2$I = m.old',
            place.name, place.key, place.times);
    END LOOP;
END
$$;
UPDATE checkout_data.webhook_outbox o SET snapshot = replace(o.snapshot::text, m.old::text, m.new::text)::jsonb
FROM moved m WHERE o.subject_id = m.new;
DROP TABLE moved;
RESET session_replication_role;
"""

CATALOG = [
    ("mug", "Coffee mug", "Enamel, 350 ml", 3, 12.5), ("tea", "Assam tea, 250 g", None, 140, 8.9),
    ("pot", "Tea pot", "Cast iron", 0, 64), ("gift", "Gift card", "By email", None, None),
    ("hostile", HOSTILE, HOSTILE, 25, 10),
]
BUYERS = ["amina.diallo", "jean.moreau", "li.wei", "sofia.rossi", "tom.baker", "yuki.tanaka"]


class Shop:
    """Fills the database as the shop itself, through its functions."""

    def __init__(self, db):
        self.db, self.number = db, 0
        self.catalog()
        self.webhooks()
        for days in range(6, 0, -1):
            self.day(10 + 3 * (days % 4))
            db.psql(input=INTO_THE_PAST.format(days=days))
        self.day(9)
        self.today()
        db.sql("ANALYZE")

    def call(self, function, **arguments):
        return self.db.call(function, **arguments)

    def catalog(self):
        for product, name, description, on_hand, amount in CATALOG:
            self.call("create_product", product_id=product, name=name, description=description, on_hand=on_hand,
                      metadata=json.dumps({"aisle": HOSTILE if product == "hostile" else "4"}))
            price = {"amount": amount} if amount else {"minimum_amount": 5, "maximum_amount": 200}
            self.call("create_price", product_id=product, price_id=f"price_{product}", currency_code="USD", **price)
        self.call("create_product", product_id="old", name="Discontinued cup")
        self.call("update_product", product_id="old", active=False)
        self.call("create_coupon", code="SPRING", percent_off=10, max_redemptions=100, description="Spring sale")
        self.call("create_coupon", code="WELCOME", amount_off=5, currency_code="USD", customers="new",
                  description=HOSTILE)

    def webhooks(self):
        (endpoint,) = self.call("create_webhook_endpoint", url=ENDPOINT, description=HOSTILE)
        self.endpoint = endpoint["webhook_endpoint_id"]
        self.call("create_webhook_consumer", name="warehouse", event_types=["checkout.session.completed"])

    def create(self, **arguments):
        self.number += 1
        buyer = BUYERS[self.number % len(BUYERS)]
        arguments = {"customer_email": f"{buyer}@mail.example", "reference": f"order-{1000 + self.number}",
                     "title": "Tea and more", "metadata": json.dumps({"order_id": f"A-{self.number}"}), **arguments}
        if "lines" not in arguments:
            arguments = {"amount": 20 + self.number % 7 * 5.5, "currency_code": "USD", **arguments}
        return self.call("create_checkout_session", **arguments)[0]["checkout_session_id"]

    def pay(self, session, payment_id=None, **arguments):
        payment_id = payment_id or f"pay_{self.number}"
        self.call("record_payment", **{"checkout_session_id": session, "payment_id": payment_id, "outcome": "succeeded",
                                       "payment_method": "card", **arguments})
        return payment_id

    def day(self, count):
        for number in range(count):
            currency = {"currency_code": "JPY", "amount": 4200} if number % 4 == 3 else {}
            session = self.create(**currency)
            if number % 5 == 4:
                self.call("expire_checkout_session", checkout_session_id=session)
            elif number == 5:
                for attempt in range(4):
                    self.call("record_payment", checkout_session_id=session, payment_id=f"f{self.number}_{attempt}",
                              outcome="failed", failure_code="card_declined", failure_message="Insufficient funds")
            else:
                self.pay(session)

    def today(self):
        """The sessions that tests look at, each by its name."""
        self.open = [self.create(title="A basket that is open") for _ in range(3)]
        self.late = self.create(title="Paid too late", reference="late-1")
        self.call("expire_checkout_session", checkout_session_id=self.late)
        self.pay(self.late, "pay_late")
        twice = self.create(title="Paid twice")
        self.pay(twice, "pay_first")
        self.pay(twice, "pay_second")
        self.sold = self.create(
            lines=json.dumps([{"product_id": "mug", "quantity": 1}, {"product_id": "tea", "quantity": 2}]),
            coupon_code="SPRING", title="Mug and tea", reference="sold-1", customer_name="Jean Moreau",
        )
        self.pay(self.sold, "pay_sold")
        self.call("record_refund", payment_id="pay_sold", refund_id="refund_1", amount=3, reason="A broken lid")
        self.hostile = self.create(
            title=HOSTILE, reference=HOSTILE[:40], customer_name=HOSTILE, description=HOSTILE, customer_id=HOSTILE[:60],
            customer_email="hostile@mail.example", metadata=json.dumps({"<b>key</b>": HOSTILE}),
            amount=66.6, currency_code="USD",
        )
        self.call("record_payment", checkout_session_id=self.hostile, payment_id=HOSTILE[:50], outcome="failed",
                  failure_code=HOSTILE, failure_message=HOSTILE)
        self.call("expire_checkout_session", checkout_session_id=self.hostile)
        self.pay(self.hostile, HOSTILE[:40], payment_method=HOSTILE[:60])
        self.subscriptions()
        self.deliver()

    def subscriptions(self):
        """One that is renewed, one that is cancelled, and a trial."""
        price = {"product_id": "gift", "currency_code": "USD", "amount": 8.9, "interval_unit": "month"}
        self.call("create_price", **price, price_id="gift_monthly")
        self.call("create_price", **price, price_id="gift_trial", trial_period="14 days")
        begun = {}
        for customer, price_id in (("member", "gift_monthly"), ("leaver", "gift_monthly"), ("taster", "gift_trial")):
            (session,) = self.call("create_checkout_session", price_id=price_id, customer_email=f"{customer}@mail.example",
                                   metadata=json.dumps({"plan": price_id}))
            if session["amount"]:
                self.pay(session["checkout_session_id"], f"pay_{customer}")
            else:
                self.call("complete_free_checkout_session", checkout_session_id=session["checkout_session_id"])
            begun[customer] = session["subscription_id"]
        self.subscription = begun["member"]
        (renewal,) = self.call("create_checkout_session", subscription_id=self.subscription,
                               metadata=json.dumps({"plan": "gift_monthly"}))
        self.pay(renewal["checkout_session_id"], "pay_member_2")
        self.call("cancel_subscription", subscription_id=begun["leaver"], at_period_end=False)

    def deliver(self):
        """The relay delivers what is due. Events of two sessions fail, until one is dead."""
        failing = (str(self.late), str(self.hostile))
        while claimed := self.db.sql(
            "SELECT event_id, webhook_endpoint_id::text, lease_token::text, body"
            " FROM checkout.claim_webhook_deliveries(100, per_endpoint => 100)"
        ):
            attempts = []
            for delivery in claimed:
                body = delivery.pop("body")
                answer = FAILURE if any(session in body for session in failing) else {"status_code": 204}
                attempts.append({**delivery, **answer, "duration": 0.12})
            self.db.sql("SELECT checkout.record_webhook_attempts(%s)", json.dumps(attempts))
            if self.db.sql("SELECT 1 FROM checkout_data.webhook_deliveries WHERE dead_at IS NOT NULL"):
                break
            # The next attempts are due now.
            self.db.sql("UPDATE checkout_data.webhook_deliveries SET next_attempt_at = now()"
                        " WHERE next_attempt_at IS NOT NULL AND receiver_id = %s", self.endpoint)
