-- Signatures of webhooks, for senders and receivers that use SQL.

CREATE FUNCTION checkout.sign_webhook(
    webhook_id text,
    webhook_timestamp timestamptz,
    body text,
    secret text,
    scheme text DEFAULT 'standard'
) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'sign_webhook_wrapper';
COMMENT ON FUNCTION checkout.sign_webhook IS
$$Returns the signature of a webhook.

- webhook_id, webhook_timestamp: send them as the headers webhook-id and webhook-timestamp. The header has whole
  seconds since 1970, rounded down. (A cast to bigint rounds to the nearest.)
- body: as sent, byte for byte.
- secret: whsec_ followed by 24 to 64 bytes in base64.
- scheme: standard (Standard Webhooks 1.0.0: the value of the header webhook-signature) or stripe (the value of the
  header stripe-signature, for receivers that have constructEvent).

While a secret is rolled, send the signatures of both secrets. Separate standard signatures by a space. Join stripe
signatures by a comma, and drop the t of the second.

Errors:
- 22004, 22023: an argument is missing or wrong.$$;

CREATE FUNCTION checkout.verify_webhook(
    headers jsonb,
    body text,
    secret text,
    scheme text DEFAULT 'standard',
    tolerance interval DEFAULT '5 minutes'
) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'verify_webhook_wrapper';
COMMENT ON FUNCTION checkout.verify_webhook IS
$$Returns true if a webhook with these headers and this body was signed with the secret, and not long ago.

The comparison takes the same time wherever a signature is wrong.

- headers: a JSON object. Upper and lower case in names are the same.
- body: as received, byte for byte.
- scheme: standard (webhook-id, webhook-timestamp, webhook-signature) or stripe (stripe-signature).
- tolerance: how far the time of the signature may differ from now, in the past or in the future, 1 second to 1 day. With
  the default, five minutes, the answers are those of the reference libraries.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.$$;
