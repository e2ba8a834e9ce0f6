-- New checkout sessions: from an order, and from a session that has expired.

CREATE FUNCTION checkout.create_checkout_session(
    amount numeric DEFAULT NULL,
    currency_code text DEFAULT NULL,
    title text DEFAULT NULL,
    description text DEFAULT NULL,
    reference text DEFAULT NULL,
    customer_id text DEFAULT NULL,
    customer_email text DEFAULT NULL,
    customer_name text DEFAULT NULL,
    customer_phone text DEFAULT NULL,
    product_id text DEFAULT NULL,
    price_id text DEFAULT NULL,
    subscription_id text DEFAULT NULL,
    payment_link_id text DEFAULT NULL,
    quantity integer DEFAULT 1,
    allow_quantity boolean DEFAULT false,
    allow_coupon_code boolean DEFAULT false,
    require_billing_address boolean DEFAULT false,
    is_spi boolean DEFAULT false,
    is_pos boolean DEFAULT false,
    country text DEFAULT NULL,
    success_url text DEFAULT NULL,
    cancel_url text DEFAULT NULL,
    payment_methods text[] DEFAULT NULL,
    max_retry_attempts integer DEFAULT NULL,
    metadata jsonb DEFAULT '{}',
    expires_at timestamptz DEFAULT NULL,
    expires_in interval DEFAULT NULL,
    idempotency_key text DEFAULT NULL,
    trace_id text DEFAULT NULL,
    lines jsonb DEFAULT NULL,
    coupon_code text DEFAULT NULL
) RETURNS checkout.checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'create_checkout_session_wrapper';
COMMENT ON FUNCTION checkout.create_checkout_session IS
$$Creates a checkout session and returns it.

- amount: in major units of the currency (12.34 is 12 dollars and 34 cents), with no more decimals than the currency
  has. With lines, or a price that is looked up, it may be left out, and otherwise must equal their sum.
- currency_code, country: ISO 4217 and ISO 3166-1, in either case. They are stored in upper case.
- title, description, reference, customer_name, customer_phone, trace_id: a text with nothing to see counts as NULL. Ids
  must not be blank.
- customer_id, customer_email: one of the two is required. An address may have letters of any script (RFC 6531).
- customer_phone: a number in any notation, with at most 64 characters.
- reference: your order id. The organization's reference_policy decides if it may repeat.
- success_url, cancel_url: http or https, or an app link with one of the organization's app_link_schemes; at most 5,000
  characters. {CHECKOUT_SESSION_ID} in them is stored as given.
- product_id, price_id: stored as they are. If the organization's uses_catalog is on, the session sells a quantity of
  this price, or of the product's default price in the currency. With a price that recurs, the session begins a
  subscription when it is complete; its subscription_id is the id that the subscription will have.
- subscription_id: stored as it is. If uses_catalog is on, the session renews this subscription for its next period.
  Amount, currency, customer, price and quantity are the subscription's, and need not be given. If an open session renews
  it already, that one is returned, with idempotent_replay true.
- lines: what the session sells, 1 to 100 objects. An item has a price_id or product_id of the catalog, or a title and
  an amount, and a quantity: {"price_id": "tea-100g", "quantity": 2}. A shipping, a tax or a fee has an amount:
  {"kind": "shipping", "title": "By post", "amount": 5}. Amounts are of one unit.
- coupon_code: a coupon that is applied, in either case.
- payment_methods: default: those of the API key, or else of the organization.
- max_retry_attempts: how often a failed payment may be retried, 0 to 10. Default: the organization's.
- metadata: a JSON object of at most 32 kB (4 kB with a publishable API key).
- expires_at (a time) or expires_in (an interval): the deadline, within the organization's bounds. A time may be past
  a bound by one second, the time that a request takes. Default: the organization's default_lifetime.
- trace_id (or the header X-Trace-Id): stored with the session, to find it again.
- idempotency_key (or the header Idempotency-Key or X-Idempotency-Key): the same key with the same request returns the
  same session, with idempotent_replay true, for as long as checkout_sessions.idempotency_key_lifetime. A request is the
  same if its values are equal: 10 and 10.00, usd and USD, metadata that are equal as jsonb. A default may be said or left
  out, except one that comes from the organization's settings (payment_methods, max_retry_attempts, the lifetime): the
  settings may change between the two calls.

In an HTTP request of the test environment with a secret credential, the header X-Scenario-Key plays a scenario with the
new session: see simulate_payment.

What is in stock is held for the session until it ends, and so is the redemption of a coupon. The session keeps its
prices, whatever becomes of the catalog.

With a publishable API key a browser chooses the amount, unless the organization's publishable_amounts is off. It holds
no stock before its first payment begins, and cannot give a coupon_code: see apply_coupon. Such a session has
created_with publishable; the reference_policy does not apply to it, and its idempotency keys are separate from those of
servers.

Errors:
- 22003, 22004, 22023: an argument is missing, wrong or out of range.
- 23505: the reference is taken, or its open session is of another order (return_existing).
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is restricted, or a publishable one names an amount and may not.
- PT404: a product, price or subscription does not exist.
- PT409: the idempotency key was used for a different request; a product or price is not active; a product is sold out;
  the coupon is refused, and the message says why; the subscription is canceled.
- PT429: the publishable API key has reached checkout_sessions.publishable_session_limit.$$;

CREATE FUNCTION checkout.recover_checkout_session(
    checkout_session_id uuid,
    expires_at timestamptz DEFAULT NULL,
    expires_in interval DEFAULT NULL
) RETURNS checkout.checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'recover_checkout_session_wrapper';
COMMENT ON FUNCTION checkout.recover_checkout_session IS
$$Creates an open checkout session with the contents of an expired one, and returns it.

The new session has the id of the expired one in recovered_from. If one that was recovered from it, or from which it was
recovered, is open, that session is returned, with idempotent_replay true: an expired session leads to one open session
at most.

- expires_at, expires_in: as for create_checkout_session.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 23505: the reference is taken.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the session does not exist.
- PT409: the session is not expired, or one that was recovered from it is complete; what it renews is renewed or canceled,
  or the trial that it begins with is used.$$;
