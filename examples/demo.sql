-- The main job from end to end, for psql. Run by `make demo` on a fresh server; it stops at the first error.
-- Each call is echoed before its answer; the checks (demo.expect) print what they found to be true.

\set QUIET on
\pset pager off
\pset footer off
\pset null '-'
\set ECHO none

CREATE SCHEMA demo;
CREATE FUNCTION demo.expect(what text, ok boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF ok IS NOT TRUE THEN
        RAISE EXCEPTION 'not so: %', what;
    END IF;
    RETURN 'checked: ' || what;
END $$;
GRANT USAGE ON SCHEMA demo TO PUBLIC;

\echo '\n== As administrator: the extension, an organization, roles for its shop and the relay, a consumer of events\n'
\set ECHO queries

CREATE EXTENSION IF NOT EXISTS checkout_sessions;

SELECT checkout.create_organization(name => 'Demo') AS organization_id;

\set ECHO none
SELECT organization_id FROM checkout_data.organizations WHERE name = 'Demo' \gset
\set ECHO queries
CREATE ROLE shop LOGIN;
SELECT checkout.grant_access('shop', 'secret');
ALTER ROLE shop SET checkout_sessions.organization_id = :'organization_id';
CREATE ROLE relay LOGIN;
SELECT checkout.grant_access('relay', 'relay');
SELECT name, event_types FROM checkout.create_webhook_consumer('demo');

\set ECHO none
\c - shop
\echo '\n== As the shop: create a session from a JSON body\n'
\set ECHO queries

CREATE TEMP TABLE request AS SELECT jsonb $json${
  "amount": 10000.0,
  "currency_code": "XOF",
  "title": "Premium Subscription",
  "description": "Monthly subscription to premium features",
  "customer_email": "john@example.com",
  "customer_name": "John Doe",
  "customer_phone": "+221771234567",
  "product_id": "123e4567-e89b-12d3-a456-426614174000",
  "price_id": "321e4567-e89b-12d3-a456-426614174000",
  "allow_quantity": false,
  "quantity": 1,
  "success_url": "https://example.com/success",
  "cancel_url": "https://example.com/cancel",
  "allow_coupon_code": true,
  "require_billing_address": true,
  "metadata": {
    "order_id": "ORDER-12345"
  }
}$json$ AS body;

SELECT jsonb_pretty(jsonb_strip_nulls(to_jsonb(session))) AS session
FROM request,
    jsonb_to_record(body) AS r (
        amount numeric, currency_code text, title text, description text, customer_email text, customer_name text,
        customer_phone text, product_id text, price_id text, allow_quantity boolean, quantity integer, success_url text,
        cancel_url text, allow_coupon_code boolean, require_billing_address boolean, metadata jsonb),
    checkout.create_checkout_session(
        amount => r.amount, currency_code => r.currency_code, title => r.title, description => r.description,
        customer_email => r.customer_email, customer_name => r.customer_name, customer_phone => r.customer_phone,
        product_id => r.product_id, price_id => r.price_id, allow_quantity => r.allow_quantity, quantity => r.quantity,
        success_url => r.success_url, cancel_url => r.cancel_url, allow_coupon_code => r.allow_coupon_code,
        require_billing_address => r.require_billing_address, metadata => r.metadata) AS session
\g (format=unaligned tuples_only=on)

\echo '\n== List, get\n'
SELECT checkout_session_id, status, amount, currency_code, customer_email, expires_at - created_at AS lifetime
FROM checkout.list_checkout_sessions(status => 'open');

\set ECHO none
SELECT checkout_session_id AS paid_id FROM checkout.list_checkout_sessions(status => 'open') \gset
\set ECHO queries
SELECT status, payment_status, title, url, metadata
FROM checkout.get_checkout_session(:'paid_id');

\set ECHO none
\t \a
SELECT demo.expect('one session is listed as open', count(*) = 1 AND bool_and(status = 'open'))
FROM checkout.list_checkout_sessions(status => 'open');
SELECT demo.expect('the session has every field of the request, as it was sent', to_jsonb(session) @> body)
FROM request, checkout.get_checkout_session(:'paid_id') AS session;
SELECT demo.expect('it is open, unpaid and lasts 60 minutes',
    status = 'open' AND payment_status = 'unpaid' AND expires_at = created_at + interval '60 minutes')
FROM checkout.get_checkout_session(:'paid_id');
SELECT demo.expect('it belongs to the shop''s organization', organization_id = :'organization_id')
FROM checkout.get_checkout_session(:'paid_id');
\t \a

\echo '\n== Pay it\n'
\set ECHO queries
SELECT payment_id, status, lease_expires_at
FROM checkout.begin_payment(:'paid_id', payment_id => 'pay_1', payment_method => 'bank_transfer');

SELECT payment_id, status, amount, currency_code
FROM checkout.record_payment(:'paid_id', payment_id => 'pay_1', outcome => 'succeeded',
    amount => 10000, currency_code => 'XOF');

SELECT status, payment_status, payment_id, completed_at
FROM checkout.get_checkout_session(:'paid_id');

\set ECHO none
\t \a
SELECT demo.expect('the session is complete and paid by pay_1',
    status = 'complete' AND payment_status = 'paid' AND payment_id = 'pay_1')
FROM checkout.get_checkout_session(:'paid_id');
SELECT demo.expect('no session is open', count(*) = 0) FROM checkout.list_checkout_sessions(status => 'open');
\t \a

\echo '\n== A second session that lives 2 seconds, and that nobody pays\n'
\set ECHO queries
SELECT checkout_session_id, status, expires_at - created_at AS lifetime
FROM checkout.create_checkout_session(
    amount => 19.99, currency_code => 'EUR', customer_id => 'cus_1', expires_in => '2 seconds');

\set ECHO none
SELECT checkout_session_id AS expired_id FROM checkout.list_checkout_sessions(status => 'open') \gset

\c - postgres
-- Readers see an expired session without it: the event is the background worker's doing.
SELECT set_config('demo.expired_id', :'expired_id', false) \g /dev/null
DO $$
BEGIN
    FOR attempt IN 1..100 LOOP
        PERFORM FROM checkout_data.webhook_outbox
        WHERE subject_id = current_setting('demo.expired_id')::uuid;
        EXIT WHEN FOUND;
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;

\echo '\n== As administrator: what the background worker has stored\n'
\set ECHO queries
SELECT o.event_type, o.created_at - s.expires_at AS lateness
FROM checkout_data.webhook_outbox o JOIN checkout_data.checkout_sessions s ON s.checkout_session_id = o.subject_id
WHERE s.checkout_session_id = :'expired_id';

SELECT subject_type, subject_id, sequence, event_type FROM checkout_data.webhook_outbox ORDER BY created_at;

\set ECHO none
\t \a
SELECT demo.expect('the worker has expired the session', count(*) = 0)
FROM checkout_data.open_sessions WHERE checkout_session_id = :'expired_id';
SELECT demo.expect('the outbox has one event of each session', array_agg((subject_id, event_type)::text ORDER BY created_at)
    = ARRAY[(:'paid_id'::uuid, 'checkout.session.completed')::text, (:'expired_id'::uuid, 'checkout.session.expired')::text])
FROM checkout_data.webhook_outbox;
\t \a

\echo '\n== As administrator: an API key, shown this once, and a role that has nothing but what it shows\n'
\set ECHO queries
CREATE ROLE web LOGIN;
SELECT checkout.grant_access('web', 'request');
SELECT api_key
FROM checkout.create_api_key(:'organization_id', kind => 'publishable', environment => 'live', payment_methods => '{payid}') \gset
SELECT api_key_id, kind, environment, payment_methods, status FROM checkout.list_api_keys();

\set ECHO none
\c - web
\echo '\n== With the key, in one transaction: create a session; then, without it, show it on the buyer''s page\n'
\set ECHO queries
BEGIN;
SELECT kind, environment FROM checkout.authenticate(:'api_key');
SELECT checkout_session_id, created_by, client_secret
FROM checkout.create_checkout_session(amount => 5, currency_code => 'USD', customer_email => 'jane@example.com') \gset
COMMIT;
SELECT organization_name, amount, currency_code, payment_methods, status
FROM checkout.public_checkout_session(:'checkout_session_id', :'client_secret');

\set ECHO none
\t \a
SELECT demo.expect('the session takes the key''s payment methods', payment_methods = '{payid}')
FROM checkout.public_checkout_session(:'checkout_session_id', :'client_secret');
SELECT demo.expect('the key''s name is on the session', :'created_by' = left(:'api_key', 20));
\c - postgres
SELECT demo.expect('an auditor finds nothing', count(*) = 0) FROM checkout.security_report();
\t \a

\c - relay
\echo '\n== As the consumer''s program: claim the events, send them, acknowledge them\n'
\set ECHO queries
CREATE TEMP TABLE claimed AS SELECT * FROM checkout.claim_webhook_events('demo', batch_size => 10);

SELECT event_id, event_type, delivery_attempts FROM claimed ORDER BY created_at;
SELECT jsonb_pretty(jsonb_strip_nulls(body::jsonb)) FROM claimed ORDER BY created_at
\g (format=unaligned tuples_only=on)
\echo

SELECT checkout.ack_webhook_events(
    consumer => 'demo',
    event_ids => (SELECT array_agg(event_id) FROM claimed),
    lease_token => (SELECT DISTINCT lease_token FROM claimed)) AS acknowledged;

\set ECHO none
\t \a
SELECT demo.expect('the bodies tell of both sessions',
    count(*) = 2
    AND bool_or(body::jsonb @> jsonb_build_object('type', 'checkout.session.completed', 'data',
        jsonb_build_object('object', jsonb_build_object('checkout_session_id', :'paid_id', 'status', 'complete'))))
    AND bool_or(body::jsonb @> jsonb_build_object('type', 'checkout.session.expired', 'data',
        jsonb_build_object('object', jsonb_build_object('checkout_session_id', :'expired_id', 'status', 'expired')))))
FROM claimed;
SELECT demo.expect('nothing is left to claim', count(*) = 0) FROM checkout.claim_webhook_events('demo', batch_size => 10);
\c - postgres
SELECT demo.expect('both events are stored as delivered', count(*) = 2 AND bool_and(delivered_at IS NOT NULL))
FROM checkout_data.webhook_deliveries;

\t \a
\echo '\n== As administrator: the organization''s sessions sell what is in its catalog\n'
\set ECHO queries
SELECT uses_catalog FROM checkout.update_organization(:'organization_id', uses_catalog => true);

\set ECHO none
\c - shop
\echo '\n== As the shop: a product of which there are two, its price, and a coupon\n'
\set ECHO queries
SELECT product_id, on_hand FROM checkout.create_product('Coffee Beans - 1kg', product_id => 'beans', on_hand => 2);
SELECT price_id, amount FROM checkout.create_price('beans', 'XOF', 5000, price_id => 'beans-1kg');
SELECT code, percent_off FROM checkout.create_coupon('WELCOME', percent_off => 10);

\set ECHO none
\echo '\n== A buyer has a coupon. The session holds its unit meanwhile\n'
\set ECHO queries
SELECT checkout_session_id AS sale, client_secret, title, amount
FROM checkout.create_checkout_session(product_id => 'beans', customer_email => 'ama@example.com', allow_coupon_code => true) \gset
SELECT applied, (session).subtotal, (session).discount, (session).amount
FROM checkout.apply_coupon(:'sale', :'client_secret', code => 'welcome');
SELECT on_hand, held, available FROM checkout.inventory WHERE product_id = 'beans';
SELECT status, amount FROM checkout.record_payment(:'sale', payment_id => 'pay_beans', outcome => 'succeeded', amount => 4500);

\set ECHO none
\t \a
SELECT demo.expect('the buyer has paid 10 % less', amount = 4500 AND status = 'complete')
FROM checkout.get_checkout_session(:'sale');
\t \a

\echo '\n== Two more buyers want the last unit. One gets it\n'
\set ECHO queries
SELECT amount, status FROM checkout.create_checkout_session(product_id => 'beans', customer_email => 'kofi@example.com');
\set ON_ERROR_STOP off
SELECT amount, status FROM checkout.create_checkout_session(product_id => 'beans', customer_email => 'esi@example.com');
\set ON_ERROR_STOP on

\set ECHO none
\t \a
SELECT demo.expect('the last unit was sold to one of two buyers', available = 0 AND on_hand >= 0)
FROM checkout.inventory WHERE product_id = 'beans';
