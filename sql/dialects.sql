-- Dialects: requests and events in the format of five payment companies (kobo, lomi, paygate, flutterwave, yuno).

CREATE TYPE checkout.http_response AS (
    status integer,
    headers jsonb,
    body json
);
COMMENT ON TYPE checkout.http_response IS 'The answer to an HTTP request.';
COMMENT ON COLUMN checkout.http_response.body IS
    'json and not jsonb: the members are in the documented order. NULL if the answer has no body.';

CREATE FUNCTION checkout.handle_request(
    api text,
    method text,
    path text,
    headers jsonb DEFAULT '{}',
    query jsonb DEFAULT '{}',
    body text DEFAULT NULL
) RETURNS checkout.http_response
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    AS 'MODULE_PATHNAME', 'handle_request_wrapper';
COMMENT ON FUNCTION checkout.handle_request IS
$$Answers an HTTP request in the way of a dialect. For a gateway that forwards requests and answers.

Returns the status, the headers, and the body with its fields in the documented order; no body for HEAD and OPTIONS. A
refused request also gets an answer in the format of the dialect, and leaves no changes behind.

Every answer has the header X-Request-Id: that of the request, or else a new UUID. Errors in the server's log have it in
their CONTEXT.

The API key is in the headers, as the dialect documents it (x-api-key, or Authorization: Bearer), and applies to this
call only. Without one the credential of the caller applies.

In the test environment the header X-Scenario-Key plays a scenario with a new session. Its words are those of
simulate_payment: complete, fail, expire and others; or error:400 to error:599 for an answer with that status.

- api: kobo, lomi, paygate, flutterwave or yuno.
- path: without scheme and host.
- headers, query: JSON objects whose values are texts.
- body: the body as it came. One that is not JSON is refused in the format of the dialect.

Errors:
- 22004, 22023: an argument of the function is missing or wrong.$$;

CREATE FUNCTION checkout.session_id(
    id text
) RETURNS uuid
    LANGUAGE c IMMUTABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'session_id_wrapper';
COMMENT ON FUNCTION checkout.session_id IS
$$Returns the checkout_session_id of the session that a dialect calls by this id.

paygate writes ids as cs_ and 32 digits, the other dialects as UUIDs. Both are taken, so a program need not know which
dialect an id comes from: get_checkout_session(session_id('cs_...')). Whether there is such a session is not checked.

- id: the session's id as a dialect writes it.

Errors:
- 22004: id is missing.
- 22P02: it is not the id of a session.$$;

CREATE FUNCTION checkout_data.event_body_as(
    dialect text,
    event_id text,
    event_type text,
    created_at timestamptz,
    object text,
    about_session boolean
) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'event_body_as_wrapper';
COMMENT ON FUNCTION checkout_data.event_body_as IS
    'Returns the body of an event in the format and the words of a dialect. NULL if the event cannot be written in it.';

CREATE FUNCTION checkout.render_webhook_event(
    event_id text,
    api text
) RETURNS text
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    AS 'MODULE_PATHNAME', 'render_webhook_event_wrapper';
COMMENT ON FUNCTION checkout.render_webhook_event IS
$$Returns the body of a webhook event in the format of a dialect.

The session in it has the same format as in the answers of the dialect. An event that the dialect's document does not
know may have another type: in lomi and paygate, checkout.session.failed becomes checkout.session.expired.

- api: kobo, lomi, paygate, flutterwave or yuno.

Errors:
- 22004, 22023, 22P02: an argument is missing or wrong.
- PT404: the event does not exist.$$;
