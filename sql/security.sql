-- Ownership, row-level security, rights, dump registration, and what \df+ says.

-- who owns what ---------------------------------------------------------------------------------------------------
-- Functions run as restricted roles that own no table, so that row-level security applies to them.
DO $$
DECLARE
    callable pg_catalog.regprocedure;
    role text;
BEGIN
    FOR callable, role IN
        SELECT p.oid::pg_catalog.regprocedure,
            CASE WHEN p.proname OPERATOR(pg_catalog.=) ANY (checkout_data.functions_above_tenants())
            THEN 'checkout_sessions_worker' ELSE 'checkout_sessions_api' END
        FROM pg_catalog.pg_proc p
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'checkout'::pg_catalog.regnamespace AND p.prosecdef
    LOOP
        -- An owner must be able to create in the schema while it becomes one.
        EXECUTE pg_catalog.format('GRANT CREATE ON SCHEMA checkout TO %I', role);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %I', callable, role);
        EXECUTE pg_catalog.format('REVOKE CREATE ON SCHEMA checkout FROM %I', role);
    END LOOP;
END
$$;

-- Bodies of events show times in UTC, whoever asks.
ALTER FUNCTION checkout.record_payment SET timezone TO 'UTC';
ALTER FUNCTION checkout.claim_webhook_events SET timezone TO 'UTC';
ALTER FUNCTION checkout.nack_webhook_event SET timezone TO 'UTC';
ALTER FUNCTION checkout.list_webhook_events SET timezone TO 'UTC';
ALTER FUNCTION checkout.render_webhook_event SET timezone TO 'UTC';
ALTER FUNCTION checkout.handle_request SET timezone TO 'UTC';
ALTER FUNCTION checkout.claim_webhook_deliveries SET timezone TO 'UTC';
ALTER FUNCTION checkout.record_webhook_attempt SET timezone TO 'UTC';
-- The index has what is due in order. While statistics lag behind a backlog, the planner would rather sort all of it. It takes
-- what is switched off for so expensive where it cannot do without that it would compile the plan.
ALTER FUNCTION checkout.claim_webhook_deliveries SET enable_bitmapscan TO off;
ALTER FUNCTION checkout.claim_webhook_deliveries SET enable_sort TO off;
ALTER FUNCTION checkout.claim_webhook_deliveries SET jit TO off;

-- rights ----------------------------------------------------------------------------------------------------------
-- Nothing to PUBLIC, and nothing to whom default privileges may have given rights. checkout.grant_access() gives them.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT DISTINCT CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
            ELSE a.grantee::pg_catalog.regrole::pg_catalog.text END
        FROM (
            SELECT p.proacl, p.proowner, 'f' FROM pg_catalog.pg_proc p
            WHERE p.pronamespace OPERATOR(pg_catalog.=) ANY (ARRAY['checkout', 'checkout_data']::pg_catalog.regnamespace[])
            UNION ALL SELECT c.relacl, c.relowner, 'r' FROM pg_catalog.pg_class c
            WHERE c.relnamespace OPERATOR(pg_catalog.=) ANY (ARRAY['checkout', 'checkout_data']::pg_catalog.regnamespace[])
            UNION ALL SELECT n.nspacl, n.nspowner, 'n' FROM pg_catalog.pg_namespace n
            WHERE n.oid OPERATOR(pg_catalog.=) ANY (ARRAY['checkout', 'checkout_data']::pg_catalog.regnamespace[])
        ) AS object (acl, owner, kind),
            LATERAL pg_catalog.aclexplode(COALESCE(object.acl, pg_catalog.acldefault(object.kind::pg_catalog."char", object.owner))) AS a
        WHERE a.grantee OPERATOR(pg_catalog.<>) object.owner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA checkout, checkout_data FROM %s', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA checkout, checkout_data FROM %s', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA checkout, checkout_data FROM %s', name);
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA checkout, checkout_data TO checkout_sessions_api, checkout_sessions_worker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA checkout_data TO checkout_sessions_api, checkout_sessions_worker;
REVOKE EXECUTE ON FUNCTION checkout_data.secret_access(), checkout_data.publishable_access(), checkout_data.authenticator_access(),
    checkout_data.request_access(), checkout_data.relay_access(), checkout_data.admin_access()
    FROM checkout_sessions_api, checkout_sessions_worker;
GRANT EXECUTE ON FUNCTION checkout.current_organization_id(), checkout.current_environment(),
    checkout.redirect_url(text, uuid)
    TO checkout_sessions_api, checkout_sessions_worker;

-- A session is immutable but for its state: only these columns can be changed.
GRANT SELECT, INSERT ON checkout_data.checkout_sessions TO checkout_sessions_api;
GRANT UPDATE (status, payment_status, payment_id, attempts, lease_expires_at, completed_at, updated_at, event_count)
    ON checkout_data.checkout_sessions TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE ON checkout_data.payments TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE ON checkout_data.idempotency_keys TO checkout_sessions_api;
GRANT SELECT, INSERT ON checkout_data.webhook_outbox TO checkout_sessions_api;
GRANT SELECT ON checkout_data.organizations TO checkout_sessions_api;
GRANT SELECT, INSERT ON checkout_data.webhook_endpoints TO checkout_sessions_api;
GRANT UPDATE (url, event_types, body_format, signature_scheme, description, secret, previous_secret,
    previous_secret_expires_at, disabled_at, disabled_reason, failing_since, updated_at, deleted_at)
    ON checkout_data.webhook_endpoints TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE (next_attempt_at) ON checkout_data.webhook_deliveries TO checkout_sessions_api;
GRANT SELECT ON checkout_data.webhook_attempts TO checkout_sessions_api;

GRANT SELECT ON checkout_data.checkout_sessions TO checkout_sessions_worker;
GRANT UPDATE (status, payment_status, lease_expires_at, expiring_notice_at, updated_at, event_count)
    ON checkout_data.checkout_sessions TO checkout_sessions_worker;
GRANT SELECT ON checkout_data.payments TO checkout_sessions_worker;
GRANT SELECT, DELETE, UPDATE ON checkout_data.idempotency_keys TO checkout_sessions_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON checkout_data.webhook_outbox TO checkout_sessions_worker;
GRANT SELECT, UPDATE, DELETE ON checkout_data.webhook_endpoints TO checkout_sessions_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON checkout_data.webhook_deliveries TO checkout_sessions_worker;
GRANT SELECT, INSERT ON checkout_data.webhook_attempts TO checkout_sessions_worker;
GRANT SELECT, INSERT, UPDATE ON checkout_data.organizations TO checkout_sessions_worker;
GRANT SELECT, INSERT ON checkout_data.api_keys TO checkout_sessions_worker;
GRANT UPDATE (expires_at, revoked_at, last_used_at, replaced_by) ON checkout_data.api_keys TO checkout_sessions_worker;

-- row-level security ----------------------------------------------------------------------------------------------
-- One policy for each role that has rights on a table; without a policy a role sees no row. Not FORCEd: the owner's
-- pg_dump would fail, and nobody logs in as the owner.
CREATE POLICY tenant ON checkout_data.organizations TO checkout_sessions_api
    USING (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id())
    WITH CHECK (false);
DO $$
DECLARE
    name text;
    own_rows CONSTANT text := 'organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id() '
        'AND environment OPERATOR(pg_catalog.=) checkout.current_environment()';
BEGIN
    -- Not organizations, see above; and not api_keys, which are looked up to learn the tenant.
    FOREACH name IN ARRAY ARRAY[
        'checkout_sessions', 'idempotency_keys', 'payments', 'webhook_outbox', 'webhook_endpoints', 'webhook_deliveries',
        'webhook_attempts'
    ] LOOP
        EXECUTE pg_catalog.format(
            'CREATE POLICY tenant ON checkout_data.%I TO checkout_sessions_api USING (%s) WITH CHECK (%s)', name, own_rows, own_rows);
    END LOOP;
    FOR name IN
        SELECT c.relname FROM pg_catalog.pg_class c
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'checkout_data'::pg_catalog.regnamespace AND c.relkind OPERATOR(pg_catalog.=) 'r'
        ORDER BY c.relname
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE checkout_data.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format(
            'CREATE POLICY every_tenant ON checkout_data.%I TO checkout_sessions_worker USING (true) WITH CHECK (true)', name);
        -- Without this a dump would have the extension but none of its rows. There are no sequences.
        PERFORM pg_catalog.pg_extension_config_dump(pg_catalog.format('checkout_data.%I', name)::pg_catalog.regclass, '');
    END LOOP;
END
$$;

-- what \df+ and PostgREST's OpenAPI say ----------------------------------------------------------------------------

COMMENT ON FUNCTION checkout.create_checkout_session IS $$Creates a checkout session and returns it.

amount: in major units of the currency (12.34 dollars), exact: not finer than the currency's smallest unit. currency_code: ISO 4217. Either customer_id or customer_email is required. success_url, cancel_url: http or https; {CHECKOUT_SESSION_ID} is kept as given. reference: your order id; the organization's reference_policy decides whether it may repeat. payment_methods: the API key's unless given, then the organization's. max_retry_attempts (0 to 10): the organization's unless given. metadata: a JSON object of at most 32 kB (4 kB with a publishable API key). expires_at (a time) or expires_in (an interval): the organization's default_lifetime unless given, within its bounds; a time may be off a bound by the second that a request takes. trace_id (or the header X-Trace-Id): kept with the session, to find it again.

A publishable API key may call this, too. Its sessions (created_with is publishable) have an amount that a browser has named; their references are not under the reference_policy, and their idempotency keys are apart from those of servers.

idempotency_key (or the header Idempotency-Key or X-Idempotency-Key of the request): the same key with the same request returns the same session (idempotent_replay is true) for as long as checkout_sessions.idempotency_key_lifetime; with another request it is an error.

Errors: 22004, 22023, 22003 an argument is missing, wrong or out of range; 28000 no credential; 23505 the reference is taken; PT409 the idempotency key was used for another request; PT429 the publishable API key has as many open sessions as it may have.$$;

COMMENT ON FUNCTION checkout.get_checkout_session IS $$Returns a checkout session as it is now. A session whose deadline has passed is expired, whether or not the worker has been there. Works in READ ONLY transactions and on a standby.

Errors: 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown, or another organization's or environment's.$$;

COMMENT ON FUNCTION checkout.list_checkout_sessions IS $$Returns checkout sessions, newest first; every argument narrows the list, and all of them combine.

status: open, complete, failed or expired, as of now. payment_id: the session that this payment was for. created_after: inclusive; created_before: exclusive. page_size: 1 to 100. starting_after: the id of a session, for the page after it; ending_before: for the page before it. page_offset: how many to pass over; a cursor is faster on later pages.

Errors: 22023 an argument is wrong; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 a cursor names no session of yours.$$;

COMMENT ON FUNCTION checkout.expire_checkout_session IS $$Expires an open checkout session now, and returns it. Changes nothing when it is expired already.

Errors: 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown session; PT409 complete or failed, or a payment is in progress.$$;

COMMENT ON FUNCTION checkout.recover_checkout_session IS $$Creates a new open session with the contents of an expired one, and returns it; its recovered_from is the expired one's id. expires_at or expires_in: as for create_checkout_session.

Errors: 22023 a wrong deadline; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown session; PT409 the session is not expired; 23505 its reference is taken.$$;

COMMENT ON FUNCTION checkout.begin_payment IS $$Records that a payment has begun, and returns it. Until its lease ends the session stays open, even past its deadline, and no other payment can begin. Call it before sending the buyer to the payment provider.

payment_id: yours or the provider's, unique within the organization. payment_method: one of the session's. lease: 1 second to 15 minutes. The same call again returns the same payment while its lease runs.

Errors: 22004, 22023 an argument is missing or wrong; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown session; PT409 the session is not open, another payment is in progress, or the payment is recorded already.$$;

COMMENT ON FUNCTION checkout.record_payment IS $$Records how a payment ended, and returns it. Look at its status: succeeded, the session is complete; failed; or rejected, money was taken that the session cannot accept (rejection_reason: session_expired, session_failed, already_paid, amount_mismatch, currency_mismatch), and has to be refunded. A rejected payment is an answer and not an error, so that it is never lost.

outcome: succeeded or failed. amount (major units), currency_code: what was paid; the session's unless given. failure_code, failure_message: for outcome failed. When more payments have failed than max_retry_attempts, the session is failed. The same payment_id again gives the same answer (idempotent_replay is true).

Errors: 22004, 22023 an argument is missing or wrong; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown session; PT409 the payment belongs to another session or was recorded with another amount.$$;

COMMENT ON FUNCTION checkout.list_payments IS $$Returns the payments of a checkout session, oldest first, those that failed or were rejected included.

Errors: 22004 no id; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown session.$$;

COMMENT ON FUNCTION checkout.list_webhook_events IS $$Returns the organization's webhook events: those about webhook endpoints, then those of the newest session first, of each session the last event first.

event_type: as checkout.session.completed. status: pending, leased, delivered, dead or skipped. page_size: 1 to 100. starting_after: an event_id, for the page after it.

Errors: 22023, 22P02 an argument is wrong; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown session or cursor.$$;

COMMENT ON FUNCTION checkout.session_funnel IS $$Returns how many sessions were created in each hour, day, week or month, what became of them, the share that was completed, and the median time from creation to payment.

created_after: inclusive; created_before: exclusive; bucket: hour, day, week or month.

Errors: 22004, 22023 an argument is missing or wrong; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one.$$;

COMMENT ON FUNCTION checkout.redirect_url IS $$Returns a success_url or cancel_url with {CHECKOUT_SESSION_ID} replaced by the session's id.$$;

COMMENT ON FUNCTION checkout.public_checkout_session IS $$Returns what a payment page needs of a checkout session, for a buyer who shows its client_secret: no API key, and no personal data. success_url is given once the session is complete.

client_secret: as create_checkout_session and get_checkout_session gave it. rotate_client_secrets ends all of an organization's.

Errors: 22004 an argument is missing; PT404 unknown session or wrong client_secret.$$;

COMMENT ON FUNCTION checkout.authenticate IS $$Shows an API key: until the transaction ends, functions act for its organization and in its environment, and do what its kind allows. Returns what the key is. A rollback to a savepoint before it takes it back. Works in READ ONLY transactions and on a standby.

Give the key as a parameter of the statement, not in its text. Unknown, mistyped, revoked and expired keys are the same error.

Errors: 22004 no key; 28000 no valid key, or one of another tenant than the one that is set already.$$;

COMMENT ON FUNCTION checkout.pre_request IS $$For PostgREST's db-pre-request: presents the credential of an HTTP request. That is an API key in the header x-api-key, or in Authorization: Bearer; or a token whose claims name an organization (checkout_sessions.jwt_organization_claim), believed where the session user has authenticator access; beside it environment (live) and kind (secret, or publishable). A request without either is anonymous, and may call public_checkout_session only.

Errors: PT401 (HTTP status 401) a credential that is not valid, or two that contradict each other.$$;

COMMENT ON FUNCTION checkout.handle_request IS $$Answers an HTTP request as one of the dialects does: kobo, lomi, paygate, flutterwave or yuno. For a gateway, which forwards what it gets and sends what is returned: status, headers, and body in the documented order of its fields.

path: without scheme and host. headers, query: objects of texts. body: the JSON body. The API key is in the headers, as the API documents it (x-api-key, or Authorization: Bearer), and counts for this call only; without one the caller's own credential counts.

A refused request is an answer, too, in the API's own shape, and leaves nothing behind. In the test environment the header X-Scenario-Key has a new session end as it says: complete, fail, expire, or error:400 to error:599 for an answer of that status.

Errors: 22004, 22023 an argument of the function is missing or wrong.$$;

COMMENT ON FUNCTION checkout.render_webhook_event IS $$Returns the body of a webhook event in the shape of a dialect: its session looks as that API shows it.

api: kobo, lomi, paygate, flutterwave or yuno.

Errors: 22004, 22023, 22P02 an argument is missing or wrong; PT404 unknown event.$$;

COMMENT ON FUNCTION checkout.current_organization_id IS $$Returns the organization on whose behalf the caller acts: that of the credential presented in this transaction, or the setting checkout_sessions.organization_id. Policies read it through this function.

Errors: 28000 none is set, it is not a UUID, or it contradicts the credential.$$;

COMMENT ON FUNCTION checkout.current_environment IS $$Returns the environment on which the caller acts, live or test: that of the credential presented in this transaction, or the setting checkout_sessions.environment.

Errors: 28000 no organization is set.$$;

COMMENT ON FUNCTION checkout.claim_webhook_events IS $$For a consumer of your own: leases up to batch_size (1 to 1000) events that are due, of all organizations or of one, and returns them with their body and lease_token. Within a session the next event is only given out when the one before is delivered or dead.

Events of organizations that have webhook endpoints go there instead. Send each body as it stands, with event_id as webhook-id; then call ack_webhook_events or nack_webhook_event. What is neither acknowledged nor put off within lease (1 second to 12 hours) is given out again; after 10 times it is dead. Delivery is at least once.

Errors: 22004, 22023 an argument is missing or wrong.$$;

COMMENT ON FUNCTION checkout.ack_webhook_events IS $$Marks events as delivered that are leased under this lease_token, and returns how many that were. An event that has been claimed again since then is not touched.

Errors: 22004 an argument is missing; 22P02 an element is not an event id.$$;

COMMENT ON FUNCTION checkout.nack_webhook_event IS $$Puts an event off that could not be delivered, and returns it. It is due again after retry_after, or after 5 seconds, 5 minutes, 30 minutes, 2, 5, 10, 14, 20, 24 hours (a fifth more or less; Standard Webhooks 1.0.0); after the tenth attempt it is dead. error: why, for whoever looks at last_error.

Errors: 22004, 22023, 22P02 an argument is missing or wrong; PT404 unknown event; PT409 it is not leased under this lease_token.$$;

COMMENT ON FUNCTION checkout.redeliver_webhook_events IS $$Makes events due again, and returns how many deliveries that are. Their attempts count from the beginning.

event_ids: these. created_after (inclusive), created_before (exclusive): those written in this time. webhook_endpoint_id: to this endpoint only, and those of its event_types that it was never sent, too, because they are older than it. status: only deliveries that are pending, delivered or dead. Given together, all of them must hold; one of the first three must be given.

Errors: 22023, 22P02 an argument is missing or wrong; PT404 unknown endpoint.$$;

COMMENT ON FUNCTION checkout.list_dead_webhook_deliveries IS $$For operators: returns deliveries that are dead, of all organizations or of one, to all endpoints or to one, the last to die first. Events that a consumer of claim_webhook_events did not acknowledge have no webhook_endpoint_id. redeliver_webhook_events makes them due again.

page_size: 1 to 100. page_offset: how many to pass over.

Errors: 22023 an argument is wrong.$$;

COMMENT ON FUNCTION checkout.create_webhook_endpoint IS $$Registers a URL for the organization's events in this environment, and returns it: secret is what receivers verify signatures with, and is given this once. Events that are written from then on, of any type, are no longer for consumers of claim_webhook_events. Those before, and of transactions that had begun, still are; redeliver_webhook_events sends them to the endpoint.

url: https, and a public address; in the test environment http, too, to this very machine (localhost). event_types: names of events (checkout.session.completed), beginnings of names with a * (checkout.session.*), or * for all. body_format: canonical, or the dialect whose words the bodies speak: kobo, lomi, paygate, flutterwave, yuno. signature_scheme: standard (Standard Webhooks 1.0.0), or stripe (for receivers that have constructEvent). description: what it is for.

Errors: 22004, 22023 an argument is missing or wrong; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT409 there are 16 already.$$;

COMMENT ON FUNCTION checkout.list_webhook_endpoints IS $$Returns the organization's webhook endpoints in this environment, oldest first; never their secrets.

Errors: 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one.$$;

COMMENT ON FUNCTION checkout.update_webhook_endpoint IS $$Changes a webhook endpoint, and returns it. What is not given stays as it is; an empty description takes it away.

enabled: false, and its deliveries wait; true, and those that waited are due at once. Events that are written while it is disabled wait, too. An endpoint is disabled on its own when it answers 410, or has failed for five days; the event webhook_endpoint.disabled tells the organization's other endpoints.

Errors: 22004, 22023 an argument is missing or wrong; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown endpoint.$$;

COMMENT ON FUNCTION checkout.delete_webhook_endpoint IS $$Removes a webhook endpoint with its deliveries and attempts, and returns it. discard_undelivered: must be true where there are events that it has not had; nobody will be sent these, nor events of transactions that have not ended by then, unless they are redelivered to another endpoint. To have them sent elsewhere, change its url instead.

Errors: 22004 an argument is missing; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown endpoint; PT409 it has undelivered events.$$;

COMMENT ON FUNCTION checkout.roll_webhook_secret IS $$Gives a webhook endpoint a new secret, and returns it with that, this once. For the overlap (24 hours; at most 30 days; 0 ends it at once) what is sent is signed with the old one, too, while receivers change over.

Errors: 22003, 22004, 22023 an argument is missing or wrong; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown endpoint.$$;

COMMENT ON FUNCTION checkout.list_webhook_deliveries IS $$Returns the deliveries to a webhook endpoint: of events of the newest session first, of each session the last event first.

status: pending, leased, delivered, dead, or paused (its endpoint is disabled). page_size: 1 to 100. starting_after: an event_id, for the page after it.

Errors: 22004, 22023, 22P02 an argument is missing or wrong; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown endpoint or cursor.$$;

COMMENT ON FUNCTION checkout.list_webhook_attempts IS $$Returns the attempts to deliver an event to the organization's webhook endpoints, or to one of them, oldest first.

Errors: 22004, 22P02 an argument is missing or wrong; 28000 no credential; 42501 (PT403 in an HTTP request) a publishable one; PT404 unknown event or endpoint.$$;

COMMENT ON FUNCTION checkout.claim_webhook_deliveries IS $$For a relay: leases up to batch_size (1 to 1000) deliveries that are due, of all organizations, and returns the requests to send, signed. Of the deliveries of a session to an endpoint, the next is only given out when the one before is delivered or dead.

per_endpoint (1 to 1000): an endpoint is given at most so many, and one at a time while it fails; in_flight: the endpoint of each delivery that the caller still has open, which count. except_organizations: those that are given nothing, because they have enough open. Send each body as it stands, with its headers, at once; then call record_webhook_attempt, or release_webhook_delivery. What is neither recorded nor released within lease (1 second to 12 hours) is given out again. Delivery is at least once, and every time with the same webhook-id.

Errors: 22003, 22004, 22023 an argument is missing or wrong.$$;

COMMENT ON FUNCTION checkout.record_webhook_attempt IS $$For a relay: records what became of an attempt, and returns the delivery.

status_code: of the response; NULL where there was none, and then error says why. 2xx is success, and nothing else is. What failed is due again after 5 seconds, 5 minutes, 30 minutes, 2, 5, 10, 14, 20, 24 hours (a fifth more or less; Standard Webhooks 1.0.0), or, where a 429 or 503 had a later Retry-After, after retry_after (at most a day); after the tenth attempt it is dead. 410 disables the endpoint, and so does a failure after five days without success. duration: from connecting to the end of the response. error, response_body: their first 1,000 characters are kept, and the organization sees them.

Errors: 22003, 22004, 22023, 22P02 an argument is missing or wrong; PT404 unknown delivery; PT409 it is not leased under this lease_token.$$;

COMMENT ON FUNCTION checkout.release_webhook_delivery IS $$For a relay: gives a lease back without an attempt: the delivery is due at once. Returns whether it was leased under this lease_token.

Errors: 22004, 22P02 an argument is missing or wrong.$$;

COMMENT ON FUNCTION checkout.next_webhook_attempt_at IS $$For a relay: returns when the next delivery is due, or its lease ends; NULL when there is none. after: what is due at this time or before does not count; now, unless given. Give the time just before a claim that got less than it asked for: what has become due since then is in neither otherwise.$$;

COMMENT ON FUNCTION checkout.sign_webhook IS $$Returns the signature of a webhook.

scheme: standard (Standard Webhooks 1.0.0: the value of the header webhook-signature; send webhook_id as webhook-id and webhook_timestamp as webhook-timestamp, in whole seconds since 1970, rounded down, which a cast to bigint does not), or stripe (the value of the header stripe-signature, for receivers that have constructEvent). body: as it is sent, to the byte. secret: whsec_ and 24 to 64 bytes in base64. While a secret is rolled, send the signatures of both: with a space between standard ones, with a comma and without the second t between stripe ones.

Errors: 22004, 22023 an argument is missing or wrong.$$;

COMMENT ON FUNCTION checkout.verify_webhook IS $$Returns whether a webhook that came with these headers and this body was signed with the secret within the last five minutes. It takes as long whatever is wrong with a signature.

headers: an object; names in any case. body: as it came, to the byte. scheme: standard (webhook-id, webhook-timestamp, webhook-signature), or stripe (stripe-signature).

Errors: 22004, 22023 an argument is missing or wrong.$$;

COMMENT ON FUNCTION checkout.outbox_status IS $$Returns how many deliveries are pending, leased, delivered and dead, since when the oldest has been pending, and for how long: in the first row of events for consumers of claim_webhook_events, then of each webhook endpoint, that with the oldest first.$$;

COMMENT ON FUNCTION checkout.create_organization IS $$Creates an organization and returns its id.

default_lifetime (60 minutes), minimum_lifetime (1 second), maximum_lifetime (48 hours; 30 days at the most): of its sessions. max_retry_attempts (3; 0 to 10). reference_policy (none): none, unique, error, return_existing or expire_previous. sub_minor_amounts (false): whether amounts may have 4 decimals in any currency. payment_methods ({bank_transfer,payid}): of sessions that name none. base_url: where its hosted payment pages live. expiring_notice: how long before the deadline checkout.session.expiring is written.

Errors: 22004 no name; 22023 a setting is out of its bounds.$$;

COMMENT ON FUNCTION checkout.update_organization IS $$Changes settings of an organization, and returns it. What is not given stays as it is; an empty base_url and a zero expiring_notice take the setting away. Sessions that exist are not changed.

Errors: 22004, 22023 an argument is missing or out of its bounds; PT404 unknown organization.$$;

COMMENT ON FUNCTION checkout.list_organizations IS $$Returns all organizations and their settings.$$;

COMMENT ON FUNCTION checkout.rotate_client_secrets IS $$Makes every client_secret of an organization's sessions invalid, and returns the organization. get_checkout_session gives new ones.

Errors: 22004 no id; PT404 unknown organization.$$;

COMMENT ON FUNCTION checkout.create_api_key IS $$Creates an API key and returns it: api_key is the key itself, and is shown this once. Only its SHA-256 is stored.

kind: secret (everything of the organization; for servers) or publishable (creates sessions; for browsers). environment: live or test. name: what it is for. payment_methods: of sessions created with it that name none; the organization's unless given. expires_at: never unless given.

Errors: 22004, 22023 an argument is missing or wrong; PT404 unknown organization.$$;

COMMENT ON FUNCTION checkout.list_api_keys IS $$Returns the API keys of an organization, or of all, oldest first; never the keys themselves.$$;

COMMENT ON FUNCTION checkout.revoke_api_key IS $$Makes an API key invalid, at once and for good, and returns it. Changes nothing when it is revoked already.

api_key_id: the first 20 characters of the key.

Errors: 22004 no id; 22P02 it is not the id of a key; PT404 unknown key.$$;

COMMENT ON FUNCTION checkout.roll_api_key IS $$Creates an API key in the place of another, and returns it with the key itself. The old one is accepted for the overlap (24 hours; at most 30 days; 0 ends it at once), while its users change over.

expires_at: of the new key. Unless given, a key that was made to end has a successor that lives as long.

Errors: 22004, 22023, 22P02 an argument is missing or wrong; PT404 unknown key; PT409 the key is revoked, expired or replaced already.$$;

COMMENT ON FUNCTION checkout.security_report IS $$Returns a row for everything that would let somebody in, or do more than an installation of this extension lets them: grants, policies, owners, attributes and memberships of roles, search paths, triggers, settings. None where all is sound. Where its owner or the owner's rights have been taken away, it says so and is incomplete. finding: what it is; object: where; role: who; advice: what to do.$$;

COMMENT ON FUNCTION checkout.expire_due_checkout_sessions IS $$Expires up to batch (1 to 100000) sessions whose deadline has passed, of all organizations, and writes their events. Returns how many it expired. The worker does it on its own.

Errors: 22004, 22023 batch is missing or wrong.$$;

COMMENT ON FUNCTION checkout.run_maintenance IS $$Does what the worker does on its own, for all organizations: expires sessions whose deadline has passed, writes reminders that are due, removes old events, deliveries and idempotency keys, and notes when API keys were last used. Each task changes up to batch (1 to 100000) rows. Returns a row for each task: its name (expire, remind, purge), and how many rows it changed. Call it once a minute where the library is not preloaded, from pg_cron for example; where a task returns batch, call it again.

Errors: 22004, 22023 batch is missing or wrong.$$;

COMMENT ON FUNCTION checkout.worker_status IS $$Returns how the background worker is in this database. state: sleeping, starting, working, failing (see last_error), disabled (checkout_sessions.worker_enabled is off), standby, no launcher (it is being restarted) or not preloaded (add checkout_sessions to shared_preload_libraries). pid: of the worker while it works; a worker with nothing due soon exits. next_deadline: when the next session or reminder is due. overdue, oldest_overdue_at, lag: sessions whose deadline has passed that are not yet expired in the table; expected to be 0 and NULL.$$;

COMMENT ON FUNCTION checkout.grant_access IS $$Lets a role call the functions of an access. To be called by a superuser.

role: its name as it is, without double quotes.

secret: everything of one organization, which the role's setting checkout_sessions.organization_id names. publishable: creates sessions for it. request: what an API key or a token lets it, presented in the same transaction; for PostgREST's roles. authenticator: for the role that PostgREST connects as, so that it is believed which tokens it has verified. relay: the outbox of all organizations. admin: organizations, API keys, the worker.

Errors: 22004, 22023 an argument is missing or wrong; 42704 no such role.$$;

COMMENT ON FUNCTION checkout.revoke_access IS $$Takes back what grant_access gave, but for what another access of the role includes.

Errors: 22004, 22023 an argument is missing or wrong; 42704 no such role.$$;

-- The worker learns of this database when the script commits.
SELECT checkout_data.wake_worker();
