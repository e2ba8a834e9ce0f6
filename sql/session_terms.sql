-- What the buyer of an open session may change. The buyer's page presents the client_secret.

CREATE TYPE checkout.coupon_answer AS (
    applied boolean,
    reason text,
    session checkout.public_checkout_session
);
COMMENT ON TYPE checkout.coupon_answer IS 'Whether a coupon was applied to a checkout session.';
COMMENT ON COLUMN checkout.coupon_answer.reason IS
    'NULL if it was applied. A buyer is told not_applicable, whatever the reason is. A server is told not_found, inactive, '
    'not_started, ended, other_currency, no_product, below_minimum, no_effect, used_up, used_by_customer, '
    'customer_unknown, new_customers_only, returning_customers_only or too_many_tries.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.set_quantity(
    checkout_session_id uuid,
    client_secret text DEFAULT NULL,
    quantity integer DEFAULT NULL,
    line integer DEFAULT NULL
) RETURNS checkout.public_checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'set_quantity_wrapper';
COMMENT ON FUNCTION checkout.set_quantity IS
$$Changes the quantity of an item of an open checkout session, and returns the session.

The session must have allow_quantity. Stock is held for the new quantity. If a coupon no longer applies, because less
than its minimum is left, it is removed: coupon_code is NULL then.

- client_secret: of the session, for its buyer's page. Without one, a secret credential is needed.
- quantity: within the bounds of the price.
- line: the number of the line. It may be left out if there is one item.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 28000: no client_secret is given, and the caller is not authenticated.
- 42501 (PT403 in an HTTP request): no client_secret is given, and the credential is publishable or restricted.
- PT404: the session does not exist, or the client_secret is wrong.
- PT409: the session is not open, a payment is in progress, the session does
  not allow another quantity, or the product is sold out.$$;

CREATE FUNCTION checkout.set_unit_amount(
    checkout_session_id uuid,
    client_secret text DEFAULT NULL,
    unit_amount numeric DEFAULT NULL,
    line integer DEFAULT NULL
) RETURNS checkout.public_checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'set_unit_amount_wrapper';
COMMENT ON FUNCTION checkout.set_unit_amount IS
$$Changes what the buyer pays for a unit of an item that has no fixed price, and returns the session.

- client_secret: of the session, for its buyer's page. Without one, a secret credential is needed.
- unit_amount: in major units, within minimum_amount and maximum_amount of the line.
- line: the number of the line. It may be left out if there is one item.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 28000: no client_secret is given, and the caller is not authenticated.
- 42501 (PT403 in an HTTP request): no client_secret is given, and the credential is publishable or restricted.
- PT404: the session does not exist, or the client_secret is wrong.
- PT409: the session is not open, a payment is in progress, or the
  price is fixed.$$;

CREATE FUNCTION checkout.apply_coupon(
    checkout_session_id uuid,
    client_secret text DEFAULT NULL,
    code text DEFAULT NULL
) RETURNS checkout.coupon_answer
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'apply_coupon_wrapper';
COMMENT ON FUNCTION checkout.apply_coupon IS
$$Applies a coupon to an open checkout session, in the place of the one that it had.

The session must have allow_coupon_code. That a coupon cannot be applied is an answer and not an error. A session has ten
tries. An applied coupon counts until the session ends, even if it ends or is archived meanwhile.

- client_secret: of the session, for its buyer's page. Without one, a secret credential is needed.
- code: in either case.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 28000: no client_secret is given, and the caller is not authenticated.
- 42501 (PT403 in an HTTP request): no client_secret is given, and the credential is publishable or restricted.
- PT404: the session does not exist, or the client_secret is wrong.
- PT409: the session is not open, a payment is in progress, or the
  session does not allow coupons.$$;

CREATE FUNCTION checkout.remove_coupon(
    checkout_session_id uuid,
    client_secret text DEFAULT NULL
) RETURNS checkout.public_checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'remove_coupon_wrapper';
COMMENT ON FUNCTION checkout.remove_coupon IS
$$Removes the coupon of an open checkout session, and returns the session.

- client_secret: of the session, for its buyer's page. Without one, a secret credential is needed.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 28000: no client_secret is given, and the caller is not authenticated.
- 42501 (PT403 in an HTTP request): no client_secret is given, and the credential is publishable or restricted.
- PT404: the session does not exist, or the client_secret is wrong.
- PT409: the session is not open, a payment is in progress, or others
  are changing the session.$$;

CREATE FUNCTION checkout.set_billing_address(
    checkout_session_id uuid,
    client_secret text DEFAULT NULL,
    address jsonb DEFAULT NULL
) RETURNS checkout.public_checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'set_billing_address_wrapper';
COMMENT ON FUNCTION checkout.set_billing_address IS
$$Stores the billing address of the buyer of an open checkout session, and returns the session.

The session must have require_billing_address. The address replaces the one before. It is personal: the result says only
that there is one.

- client_secret: of the session, for its buyer's page. Without one, a secret credential is needed.
- address: an object with country (ISO 3166-1), and name, line1, line2, city, state, postal_code.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 28000: no client_secret is given, and the caller is not authenticated.
- 42501 (PT403 in an HTTP request): no client_secret is given, and the credential is publishable or restricted.
- PT404: the session does not exist, or the client_secret is wrong.
- PT409: the session is not open, a payment is in progress, or the
  session asks for no billing address.$$;

CREATE FUNCTION checkout.complete_free_checkout_session(
    checkout_session_id uuid,
    client_secret text DEFAULT NULL
) RETURNS checkout.public_checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'complete_free_checkout_session_wrapper';
COMMENT ON FUNCTION checkout.complete_free_checkout_session IS
$$Completes an open checkout session in which nothing is due, and returns it.

A coupon, or a price of zero, may leave nothing to pay. No payment is required then: payment_status is
no_payment_required, and the session gets its event checkout.session.completed. Repeating the call changes nothing.

- client_secret: of the session, for its buyer's page. Without one, a secret credential is needed.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 28000: no client_secret is given, and the caller is not authenticated.
- 42501 (PT403 in an HTTP request): no client_secret is given, and the credential is publishable or restricted.
- PT404: the session does not exist, or the client_secret is wrong.
- PT409: the session is not open, a payment is in progress, something is due,
  a billing address is missing, or what the session sells is sold out.$$;
