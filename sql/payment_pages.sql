-- Payment pages: reading a session with its client secret, and the URLs that buyers return to.

CREATE TYPE checkout.session_recurrence AS (
    amount numeric,
    interval_unit text,
    interval_count integer,
    trial_end timestamptz,
    period_start timestamptz,
    period_end timestamptz
);
COMMENT ON TYPE checkout.session_recurrence IS 'What the buyer of a session agrees to pay for again and again.';
COMMENT ON COLUMN checkout.session_recurrence.amount IS 'What each period costs, in major units of the currency.';
COMMENT ON COLUMN checkout.session_recurrence.interval_unit IS 'day, week, month or year. A period is interval_count of them.';
COMMENT ON COLUMN checkout.session_recurrence.trial_end IS
    'Until when it is free, if it begins now. NULL: the session begins no trial.';
COMMENT ON COLUMN checkout.session_recurrence.period_start IS
    'The period that the session pays, of a subscription that it renews. NULL: it begins one.';

CREATE TYPE checkout.public_checkout_session AS (
    checkout_session_id uuid,
    environment text,
    organization_name text,
    title text,
    description text,
    amount numeric,
    currency_code text,
    quantity integer,
    allow_quantity boolean,
    allow_coupon_code boolean,
    require_billing_address boolean,
    payment_methods text[],
    status text,
    payment_status text,
    expires_at timestamptz,
    success_url text,
    cancel_url text,
    subtotal numeric,
    discount numeric,
    coupon_code text,
    has_billing_address boolean,
    lines checkout.session_line[],
    server_time timestamptz,
    attempts integer,
    failure_code text,
    sold_out boolean,
    can_restart boolean,
    payment_method_urls jsonb,
    recurrence checkout.session_recurrence
);
COMMENT ON TYPE checkout.public_checkout_session IS
    'The part of a checkout session that a payment page needs. It has no personal data.';
COMMENT ON COLUMN checkout.public_checkout_session.amount IS
    'In major units of the currency: 12.34 is 12 dollars and 34 cents.';
COMMENT ON COLUMN checkout.public_checkout_session.subtotal IS
    'The sum of the items. amount is subtotal - discount, and the lines of shipping, tax and fees.';
COMMENT ON COLUMN checkout.public_checkout_session.lines IS 'Empty if the session says only an amount.';
COMMENT ON COLUMN checkout.public_checkout_session.success_url IS
    'Where to send the buyer once the session is complete; NULL before. {CHECKOUT_SESSION_ID} is filled in. An http or '
    'https URL, or an app link.';
COMMENT ON COLUMN checkout.public_checkout_session.cancel_url IS
    'Where to send a buyer who does not want to pay. {CHECKOUT_SESSION_ID} is filled in. An http or https URL, or an app '
    'link.';
COMMENT ON COLUMN checkout.public_checkout_session.server_time IS
    'The time of the answer. A page that counts down to expires_at counts from here: the buyer''s clock may be wrong.';
COMMENT ON COLUMN checkout.public_checkout_session.attempts IS 'How many attempts to pay have failed.';
COMMENT ON COLUMN checkout.public_checkout_session.failure_code IS
    'Why the last attempt failed, in the payment provider''s word. NULL if none failed, or the provider does not say.';
COMMENT ON COLUMN checkout.public_checkout_session.sold_out IS
    'True if the session is open and others have taken what it sells. It held nothing, because a browser created it.';
COMMENT ON COLUMN checkout.public_checkout_session.can_restart IS
    'True if the session is expired and restart_checkout_session may start it again.';
COMMENT ON COLUMN checkout.public_checkout_session.payment_method_urls IS
    'Where to send the buyer to pay, by payment method. {CHECKOUT_SESSION_ID} is filled in. Empty unless the session is '
    'open.';
COMMENT ON COLUMN checkout.public_checkout_session.recurrence IS
    'Of a session that begins or renews a subscription. NULL: it is paid once.';

CREATE TYPE checkout.restarted_checkout_session AS (
    checkout_session_id uuid,
    client_secret text,
    url text
);
COMMENT ON TYPE checkout.restarted_checkout_session IS 'The session that replaces one that expired.';
COMMENT ON COLUMN checkout.restarted_checkout_session.url IS
    'The hosted payment page, with the client_secret in its fragment. NULL without a base URL.';

CREATE TYPE checkout.page_policy AS (
    embedding_origins text[]
);
COMMENT ON TYPE checkout.page_policy IS 'What the server of a payment page must know before the page is shown.';
COMMENT ON COLUMN checkout.page_policy.embedding_origins IS
    'The origins of the pages that may show it in a frame, for the header Content-Security-Policy: frame-ancestors.';

CREATE FUNCTION checkout_data.redirect_url_of(s checkout_data.checkout_sessions, url text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT pg_catalog.regexp_replace(url, '([{]|%7[Bb])CHECKOUT_SESSION_ID([}]|%7[Dd])', CASE
        WHEN s.id_prefix IS NULL THEN s.checkout_session_id::pg_catalog.text
        ELSE pg_catalog.concat(s.id_prefix, pg_catalog.replace(s.checkout_session_id::pg_catalog.text, '-', '')) END,
        'g')
    $$;
COMMENT ON FUNCTION checkout_data.redirect_url_of IS
    'Returns a URL of a session with the session''s id filled in, written as in the dialect that created it. What builds '
    'the URL may have percent-encoded the braces of {CHECKOUT_SESSION_ID}.';

CREATE FUNCTION checkout_data.public_session_at(
    s checkout_data.checkout_sessions, organization_name text, at timestamptz, t checkout_data.session_terms,
    lines checkout.session_line[], failure_code text, sold_out boolean, allow_restart boolean, payment_method_urls jsonb,
    recurrence checkout.session_recurrence
)
    RETURNS checkout.public_checkout_session
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        s.checkout_session_id, s.environment, organization_name, s.title, s.description, s.amount, s.currency_code,
        s.quantity, s.allow_quantity, s.allow_coupon_code, s.require_billing_address, s.payment_methods,
        checkout_data.effective_status(s, at), checkout_data.effective_payment_status(s, at), s.expires_at,
        CASE WHEN s.status OPERATOR(pg_catalog.=) 'complete'
            THEN checkout_data.redirect_url_of(s, s.success_url) END,
        checkout_data.redirect_url_of(s, s.cancel_url), COALESCE(t.subtotal, s.amount), COALESCE(t.discount, 0),
        t.coupon_code, t.billing_address IS NOT NULL, lines, at, s.attempts, failure_code,
        COALESCE(sold_out, false) AND checkout_data.effective_status(s, at) OPERATOR(pg_catalog.=) 'open',
        allow_restart AND checkout_data.effective_status(s, at) OPERATOR(pg_catalog.=) 'expired',
        CASE WHEN checkout_data.effective_status(s, at) OPERATOR(pg_catalog.=) 'open' THEN COALESCE((
            SELECT pg_catalog.jsonb_object_agg(u.key, checkout_data.redirect_url_of(s, u.value))
            FROM pg_catalog.jsonb_each_text(payment_method_urls) AS u
            WHERE u.key OPERATOR(pg_catalog.=) ANY (s.payment_methods)), '{}') ELSE '{}' END,
        recurrence
    )::checkout.public_checkout_session
    $$;
COMMENT ON FUNCTION checkout_data.public_session_at IS
    'Returns a session as its buyer sees it at a time: no personal data, and no success_url before it is paid.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.public_checkout_session(
    checkout_session_id uuid,
    client_secret text
) RETURNS checkout.public_checkout_session
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'public_checkout_session_wrapper';
COMMENT ON FUNCTION checkout.public_checkout_session IS
$$Returns the part of a checkout session that a payment page needs.

The buyer's page presents the client_secret of the session instead of an API key. The result has no personal data, and
has the success_url once the session is complete.

- client_secret: as returned by create_checkout_session and get_checkout_session. rotate_client_secrets makes all
  client secrets of an organization invalid.

Errors:
- 22004: an argument is missing.
- PT404: the session does not exist, or the client_secret is wrong.$$;

CREATE FUNCTION checkout.redirect_url(
    url text,
    checkout_session_id uuid
) RETURNS text
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'redirect_url_wrapper';
COMMENT ON FUNCTION checkout.redirect_url IS
$$Returns a URL with {CHECKOUT_SESSION_ID} replaced by the id of a checkout session.

The braces may be percent-encoded (%7BCHECKOUT_SESSION_ID%7D). The id is written as the dialect that created the session
writes it, as in the URLs of public_checkout_session.

Errors:
- 22004: an argument is missing.
- PT404: the session does not exist.$$;

CREATE FUNCTION checkout.restart_checkout_session(
    checkout_session_id uuid,
    client_secret text
) RETURNS checkout.restarted_checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'restart_checkout_session_wrapper';
COMMENT ON FUNCTION checkout.restart_checkout_session IS
$$Starts an expired session again for its buyer, and returns the new session.

The organization must have allow_restart. The new session is as recover_checkout_session would make it, with the prices
of the expired one. A session that was started again already leads to the same new session while that is open.

- client_secret: of the expired session.

Errors:
- 22004: an argument is missing.
- PT404: the session does not exist, or the client_secret is wrong.
- PT409: the organization does not allow it, the session is not expired, it was paid after it was started again, its
  reference has another session, or what it sells is sold out or no longer sold.$$;

CREATE FUNCTION checkout.page_policy(
    checkout_session_id uuid
) RETURNS checkout.page_policy
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'page_policy_wrapper';
COMMENT ON FUNCTION checkout.page_policy IS
$$Returns what the server of a payment page must know before it shows the page of a session.

Needs no credential: the server of the page sees the id in the URL, and no secret. An unknown id is answered as one whose
organization names no embedding_origins.

Errors:
- 22004: checkout_session_id is missing.$$;
