-- Visits: what the buyers of sessions did on their payment pages.

CREATE DOMAIN checkout_data.reason_code AS text COLLATE "C" CHECK (VALUE ~ '^[a-z][a-z0-9_]{0,63}$');

-- A session that was never opened or cancelled has no row.
CREATE TABLE checkout_data.session_visits (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    checkout_session_id uuid NOT NULL,
    first_opened_at timestamptz,
    last_opened_at timestamptz,
    cancelled_at timestamptz,
    reason_code checkout_data.reason_code,
    reason text CHECK (length(reason) BETWEEN 1 AND 500),
    CONSTRAINT session_visits_pkey PRIMARY KEY (organization_id, environment, checkout_session_id),
    CONSTRAINT session_visits_opened_check CHECK (
        (first_opened_at IS NULL) = (last_opened_at IS NULL) AND COALESCE(last_opened_at >= first_opened_at, true)),
    CONSTRAINT session_visits_cancelled_check CHECK (cancelled_at IS NOT NULL OR (reason_code IS NULL AND reason IS NULL))
) WITH (fillfactor = 85);
COMMENT ON TABLE checkout_data.session_visits IS 'When the buyers of sessions opened their payment pages, and cancelled.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.open_checkout_session(
    checkout_session_id uuid,
    client_secret text
) RETURNS checkout.public_checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'open_checkout_session_wrapper';
COMMENT ON FUNCTION checkout.open_checkout_session IS
$$Records that the buyer has opened the payment page, and returns the session as public_checkout_session does.

The view session_visits shows when a session was opened first and last. Opening a session that has ended is not recorded.

- client_secret: of the session, for its buyer's page.

Errors:
- 22004: an argument is missing.
- PT404: the session does not exist, or the client_secret is wrong.$$;

CREATE FUNCTION checkout.cancel_checkout_session(
    checkout_session_id uuid,
    client_secret text,
    reason_code text DEFAULT NULL,
    reason text DEFAULT NULL
) RETURNS checkout.public_checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'cancel_checkout_session_wrapper';
COMMENT ON FUNCTION checkout.cancel_checkout_session IS
$$Records that the buyer of an open session does not want to pay, and why, and returns the session.

The session stays open, so that the buyer may come back. Where the organization's setting cancel_expires is on, it
expires. A session that has ended does not change. The view session_visits shows the last time and its reasons. The
event checkout.session.cancelled tells of it, once for each change: not again for the same reasons.

- client_secret: of the session, for its buyer's page.
- reason_code: a word, such as too_expensive, changed_mind, payment_method, delivery, technical_problem or other: lower-case
  letters, digits and underscores, at most 64.
- reason: in the buyer's words, at most 500 characters.

Errors:
- 22004, 22023: an argument is missing or wrong.
- PT404: the session does not exist, or the client_secret is wrong.
- PT409: cancel_expires is on and a payment is in progress, or others are changing the session.$$;
