"""Attacks by guesses: ids, cursors, keys and references of another tenant, and answers that reveal whether they exist.
"""

import json
import uuid

from attacks.lab import Attack

VICTIMS = ["alpha live", "alpha test", "bravo test"]
INTRUDERS = ["B's secret key", "B's role", "A's publishable key", "A's browser", "anonymous"]
CREATE = "SELECT * FROM checkout.create_checkout_session(amount => 10, currency_code => 'USD', {})"

# The functions that take the id of a session, with the session state that suits each best.
BY_SESSION = {
    "get_checkout_session(%s)": "complete",
    "expire_checkout_session(%s)": "open",
    "recover_checkout_session(%s)": "expired",
    "recover_checkout_session(%s, expires_in => '1 hour')": "open",
    "begin_payment(%s, 'guess')": "open",
    "begin_payment(%s, 'guess', lease => '15 minutes')": "processing",
    "record_payment(%s, 'guess', 'succeeded')": "open",
    "record_payment(%s, 'guess', 'failed')": "processing",
    "record_payment(%s, 'guess', 'succeeded', amount => 1)": "complete",
    "list_payments(%s)": "failed",
    "apply_payment('guess', %s)": "open",
    "simulate_payment(%s, 'complete')": "open",
    "list_webhook_events(%s)": "complete",
    "list_webhook_events(%s, status => 'pending')": "failed",
    "list_checkout_sessions(starting_after => %s)": "open",
    "list_checkout_sessions(ending_before => %s)": "open",
    "list_checkout_sessions(starting_after => %s, page_size => 100)": "failed",
    "public_checkout_session(%s, 'cs_secret_')": "open",
    "open_checkout_session(%s, 'cs_secret_')": "open",
    "cancel_checkout_session(%s, 'cs_secret_')": "open",
    "restart_checkout_session(%s, 'cs_secret_')": "expired",
    "simulate_public_payment(%s, 'cs_secret_', 'complete')": "open",
}
# The functions that take the id of a webhook endpoint.
BY_ENDPOINT = [
    "update_webhook_endpoint(%s)",
    "update_webhook_endpoint(%s, url => 'https://thief.example', enabled => true)",
    "roll_webhook_secret(%s)",
    "roll_webhook_secret(%s, '0')",
    "delete_webhook_endpoint(%s)",
    "delete_webhook_endpoint(%s, discard_undelivered => true)",
    "list_webhook_deliveries(%s)",
    "list_webhook_deliveries(%s, 'pending', 100)",
    "redeliver_webhook_events(webhook_endpoint_id => %s)",
    "redeliver_webhook_events(webhook_endpoint_id => %s, status => 'pending')",
]
# The functions that take the id of a subscription.
BY_SUBSCRIPTION = [
    "get_subscription(%s)",
    "cancel_subscription(%s)",
    "cancel_subscription(%s, false)",
    "resume_subscription(%s)",
    "list_subscriptions(starting_after => %s)",
]
# The functions that take the name of a webhook consumer.
BY_CONSUMER = [
    "claim_webhook_events(%s)",
    "claim_webhook_events(%s, 1000, '12 hours')",
    "ack_webhook_events(%s, '{}', gen_random_uuid())",
    "delete_webhook_consumer(%s)",
    "delete_webhook_consumer(%s, discard_undelivered => true)",
]
# The functions that take a text that only another tenant has.
BY_TEXT = {
    "list_checkout_sessions(reference => %s)": "complete_reference",
    "list_checkout_sessions(customer_id => %s)": "open_customer_id",
    "list_checkout_sessions(customer_email => %s)": "open@example.com",
    "list_checkout_sessions(payment_id => %s)": "complete_payment",
    "list_checkout_sessions(status => 'complete', reference => %s)": "complete_reference",
}


def same_answers(me, statement, known, unknown):
    """Existing values of others and values that exist nowhere get the same answer, to the byte."""
    answers = []
    for guess in (known, unknown):
        before = len(me.heard)
        me.do(statement, guess)
        answers.append("\n".join(me.heard[before:]).replace(guess, "(guess)"))
    if answers[0] != answers[1]:
        me.found.append(f"{statement} tells what exists: {answers}")


def guesses(statement, known, unknown):
    def action(me):
        if me.key:
            me.present_key()
        same_answers(me, statement, known(me), unknown(me))
        # Each by itself, as a first statement.
        if me.key:
            me.raw("ROLLBACK")
            me.present_key()
        me.do(statement, known(me))

    return action


def session_attacks():
    for call, state in BY_SESSION.items():
        for tenant in VICTIMS:
            for who in INTRUDERS:
                # A's publishable key may create in its tenant, and learns no more of the sessions there.
                yield Attack(
                    f"{call} for a session of {tenant}",
                    who,
                    guesses(
                        f"SELECT * FROM checkout.{call}",
                        lambda me, t=tenant, s=state: me.lab.targets[t][s],
                        lambda me, t=tenant, s=state: like(me.lab.targets[t][s]),
                    ),
                )


def endpoint_attacks():
    for call in BY_ENDPOINT:
        for tenant in VICTIMS:
            for who in INTRUDERS:
                yield Attack(
                    f"{call} for the endpoint of {tenant}",
                    who,
                    guesses(
                        f"SELECT * FROM checkout.{call}",
                        lambda me, t=tenant: me.lab.targets[t]["endpoint"],
                        lambda me: str(uuid.uuid4()),
                    ),
                )
    for tenant in VICTIMS:
        for who in INTRUDERS:
            yield Attack(f"redelivers all that it can reach, and what {tenant}'s consumer has", who, redelivers(tenant))
        for who in ("B's secret key", "B's role"):
            yield Attack(f"attempts at an own event to the endpoint of {tenant}", who, own_event_to(tenant))


def consumer_attacks():
    for call in BY_CONSUMER:
        for tenant in VICTIMS:
            for who in INTRUDERS:
                yield Attack(
                    f"{call} for the consumer of {tenant}",
                    who,
                    guesses(
                        f"SELECT * FROM checkout.{call}",
                        lambda me, t=tenant: me.lab.targets[t]["consumer"],
                        lambda me: "jobs of nobody",
                    ),
                )
    for tenant in VICTIMS:
        for who in ("B's secret key", "B's role"):
            yield Attack(f"an own consumer of the name of that of {tenant}", who, consumer_named_as(tenant))


def subscription_attacks():
    for call in BY_SUBSCRIPTION:
        for tenant in VICTIMS:
            for who in INTRUDERS:
                yield Attack(
                    f"{call} for the subscription of {tenant}",
                    who,
                    guesses(
                        f"SELECT * FROM checkout.{call}",
                        lambda me, t=tenant: me.lab.targets[t]["subscription"],
                        lambda me, t=tenant: like(me.lab.targets[t]["subscription"]),
                    ),
                )


def consumer_named_as(tenant):
    def action(me):
        if me.key:
            me.present_key()
        target = me.lab.targets[tenant]
        me.do("SELECT * FROM checkout.create_webhook_consumer(%s)", target["consumer"])
        me.do("SELECT * FROM checkout.claim_webhook_events(%s)", target["consumer"])
        leases = f"(SELECT array_agg(d.event_id) FROM (VALUES ('{target['event']}')) AS d (event_id)), gen_random_uuid()"
        me.do(f"SELECT * FROM checkout.ack_webhook_events(%s, {leases})", target["consumer"])
        me.do(
            "SELECT * FROM checkout.nack_webhook_event(%s, %s, gen_random_uuid(), 'stolen', '30 days')",
            target["consumer"],
            target["event"],
        )
        me.do("SELECT * FROM checkout.delete_webhook_consumer(%s, true)", target["consumer"])

    return action


def redelivers(tenant):
    def action(me):
        if me.key:
            me.present_key()
        me.do("SELECT checkout.redeliver_webhook_events(created_after => '2020-01-01')")
        consumer = "SELECT checkout.redeliver_webhook_events(webhook_consumer_id => %s)"
        same_answers(me, consumer, me.lab.targets[tenant]["consumer id"], str(uuid.uuid4()))

    return action


def own_event_to(tenant):
    def action(me):
        if me.key:
            me.present_key()
        event = me.home["event"]
        me.said.append(event)
        statement = f"SELECT * FROM checkout.list_webhook_attempts('{event}', %s)"
        same_answers(me, statement, me.lab.targets[tenant]["endpoint"], str(uuid.uuid4()))

    return action


def like(session):
    """An id of the same time that belongs to no session."""
    return session[:24] + uuid.uuid4().hex[:12]


def text_attacks():
    for call, suffix in BY_TEXT.items():
        for tenant in VICTIMS:
            for who in ("B's secret key", "B's role", "A's publishable key"):
                yield Attack(
                    f"{call} of {tenant}",
                    who,
                    guesses(
                        f"SELECT * FROM checkout.{call}",
                        lambda me, t=tenant, s=suffix: f"{me.lab.targets[t]['word']}_{s}",
                        lambda me: "nobodys_guess",
                    ),
                )
    wildcards = ["%", "_", "canary%", ".*", "' OR '1'='1", "*", "\\", "canary_alpha_live_%"]
    for wildcard in wildcards:
        for argument in ("reference", "customer_id", "customer_email", "payment_id"):
            yield Attack(
                f"{argument} {wildcard!r}",
                "B's role",
                guesses(
                    f"SELECT * FROM checkout.list_checkout_sessions({argument} => %s)",
                    lambda me, w=wildcard: w,
                    lambda me, w=wildcard: w,
                ),
            )
    for tenant in VICTIMS:
        for who in ("B's secret key", "B's role", "anonymous"):
            yield Attack(f"payment id of {tenant} for an own session", who, own_session_with_payment(tenant))
            yield Attack(
                f"idempotency key of {tenant}", who, creates(tenant, "idempotency_key", "open_idempotency_key")
            )
            yield Attack(f"reference of {tenant}", who, creates(tenant, "reference", "open_reference"))
            yield Attack(f"idempotency key of {tenant} in a header", who, header(tenant))
    for who in ("A's publishable key", "A's browser"):
        yield Attack("the whole request of another's session, with its idempotency key", who, whole_request)
        yield Attack(
            "an idempotency key that another has used",
            who,
            creates("alpha live", "idempotency_key", "open_idempotency_key"),
        )
        for policy in ("return_existing", "expire_previous", "error"):
            yield Attack(f"a reference of an open session, where the policy is {policy}", who, reference_under(policy))


def own_session_with_payment(tenant):
    def action(me):
        me.raw("BEGIN")
        if me.key:
            me.present_key()
        payment = me.lab.targets[tenant]["complete payment"]
        rows = me.do(CREATE.format("customer_id => 'guesser'"))
        session = rows[0][0] if rows else str(uuid.uuid4())
        same_answers(
            me, f"SELECT payment_id, status FROM checkout.record_payment('{session}', %s, 'failed')", payment, "free"
        )
        me.do("SELECT * FROM checkout.begin_payment(%s, %s)", session, payment)
        me.do("SELECT * FROM checkout.record_payment(%s, %s, 'succeeded')", session, payment)
        me.do("SELECT * FROM checkout.list_payments(%s)", session)
        me.raw("ROLLBACK")

    return action


def creates(tenant, argument, suffix):
    """Creates with the values of another tenant's session. The answer is a session of one's own, or a refusal."""

    def action(me):
        me.raw("BEGIN")
        if me.key:
            me.present_key()
        word = me.lab.targets[tenant]["word"]
        me.do(CREATE.format(f"customer_id => 'guesser', {argument} => %s"), f"{word}_{suffix}")
        me.raw("ROLLBACK")

    return action


def header(tenant):
    def action(me):
        me.raw("BEGIN")
        if me.key:
            me.present_key()
        key = f"{me.lab.targets[tenant]['word']}_open_idempotency_key"
        for name in ("idempotency-key", "x-idempotency-key"):
            headers = json.dumps({name: key})
            me.said.append(headers)
            me.do("SELECT set_config('request.headers', %s, true)", headers)
            me.do(CREATE.format("customer_id => 'guesser'"))
            me.do("SELECT current_setting('response.headers', true)")
        me.raw("ROLLBACK")

    return action


def whole_request(me):
    """A browser that knows the whole request of a server gets no session, and no client secret."""
    word, name = me.victim["word"], "alpha"
    request = {
        "customer_email": f"{word}_open@example.com",
        "metadata": f'{{"{word}": "{word}"}}',
        "payment_methods": [word, "card"],
        "success_url": f"https://{name}.example/{word}",
        "cancel_url": f"https://{name}.example/{word}",
        "expires_in": "40 hours",
        **{
            text: f"{word}_open_{text}"
            for text in (
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
            )
        },
    }
    me.said += [word, "canary_alpha_"]
    me.raw("BEGIN")
    if me.key:
        me.present_key()
    rows = me.do(CREATE.format(", ".join(f"{argument} => %s" for argument in request)), *request.values())
    if rows and rows[0][0] == me.victim["open"]:
        me.found.append("was given the session that a secret key had created, by its idempotency key")
    me.raw("ROLLBACK")


def reference_under(policy):
    def action(me):
        set_policy = "UPDATE checkout_data.organizations SET reference_policy = %s WHERE organization_id = %s"
        arm = (
            "WITH session AS ("
            " UPDATE checkout_data.checkout_sessions SET reference_policy = %s WHERE organization_id = %s AND status = 'open'"
            " RETURNING *)"
            " UPDATE checkout_data.open_sessions o SET reference = CASE s.reference_policy WHEN 'open' THEN s.reference END"
            " FROM session s WHERE o.checkout_session_id = s.checkout_session_id"
        )
        try:
            me.lab.db.sql(set_policy, policy, me.victim["organization_id"])
            me.lab.db.sql(arm, "open", me.victim["organization_id"])
            creates("alpha live", "reference", "open_reference")(me)
        finally:
            me.lab.db.sql(set_policy, "none", me.victim["organization_id"])
            me.lab.db.sql(arm, "none", me.victim["organization_id"])

    return action


def attacks():
    yield from session_attacks()
    yield from endpoint_attacks()
    yield from consumer_attacks()
    yield from subscription_attacks()
    yield from text_attacks()
