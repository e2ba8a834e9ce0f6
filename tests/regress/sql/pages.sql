-- The payment page: its address, what its buyer does there, and what its server must know.
SELECT checkout.create_organization('Pages', base_url => 'https://pay.example/pay', payment_methods => '{card,wallet}',
    payment_method_urls => '{"card": "https://cards.example/start?session={CHECKOUT_SESSION_ID}&method=card",
        "payid": "https://payid.example/"}') AS organization,
    checkout.create_organization('Pages, others') AS other \gset
SELECT testing.login('shop_pages', :'organization');
SELECT testing.login('shop_pages_test', :'organization', 'test');
SELECT testing.login('shop_pages_other', :'other');
\c - shop_pages_other
SELECT checkout_session_id AS of_other, client_secret AS secret_of_other
FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c') \gset
\c - shop_pages

-- The url has the secret in its fragment, which no server sees. It is there while the session is open.
SELECT checkout_session_id AS id, client_secret AS secret, url AS page,
    url = 'https://pay.example/pay/' || checkout_session_id || '#' || client_secret AS of_the_page
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c', cancel_url => 'https://shop.example/cart') \gset
\echo :of_the_page
SELECT url = :'page' AS same FROM checkout.get_checkout_session(:'id');
SELECT url, client_secret FROM checkout.list_checkout_sessions();
SELECT (body ->> 'url') = :'page' AS in_a_dialect
FROM checkout.handle_request('lomi', 'GET', '/checkout-sessions/' || :'id');
SELECT (body::jsonb #>> '{data,0,url}') = :'page' AS in_a_dialects_list
FROM checkout.handle_request('paygate', 'GET', '/v1/checkout/sessions');

-- Where the buyer pays: the methods of the session that have an address.
SELECT replace(payment_method_urls::text, :'id', '<id>') AS payment_method_urls, sold_out, can_restart, attempts,
    failure_code
FROM checkout.public_checkout_session(:'id', :'secret');
SELECT status FROM checkout.begin_payment(:'id', 'pages-1');
SELECT status FROM checkout.record_payment(:'id', 'pages-1', 'failed', failure_code => 'card_declined');
SELECT status FROM checkout.begin_payment(:'id', 'pages-2');
SELECT status FROM checkout.record_payment(:'id', 'pages-2', 'failed', failure_code => 'insufficient_funds');
SELECT attempts, failure_code FROM checkout.public_checkout_session(:'id', :'secret');

-- The page is opened: when, first and last, is for the merchant to see. Within a minute it is written once.
\c - visitor
SELECT status, amount FROM checkout.open_checkout_session(:'id', :'secret');
SELECT status FROM checkout.open_checkout_session(:'id', :'secret');
\c - shop_pages
SELECT first_opened_at = last_opened_at AS once, cancelled_at, reason_code, reason FROM checkout.session_visits;
\c - postgres
UPDATE checkout_data.session_visits
SET first_opened_at = now() - interval '1 hour', last_opened_at = now() - interval '1 hour'
WHERE checkout_session_id = :'id';
\c - visitor
SELECT status FROM checkout.open_checkout_session(:'id', :'secret');
-- The buyer does not want to pay, and says why; and comes back.
SELECT status FROM checkout.cancel_checkout_session(:'id', :'secret', 'too_expensive', E'That is\ntoo much.');
\c - shop_pages
SELECT last_opened_at > first_opened_at AS again, cancelled_at > last_opened_at AS cancelled, reason_code, reason
FROM checkout.session_visits;
SELECT v.reason_code FROM checkout.checkout_sessions s, checkout.session_visits(s) AS v;
\c - visitor
SELECT status FROM checkout.cancel_checkout_session(:'id', :'secret', reason => '  ');
SELECT call, testing.outcome(format(call, :'id', :'secret', :'of_other', :'secret_of_other')) FROM unnest(ARRAY[
    'SELECT checkout.open_checkout_session(NULL, %2$L)', 'SELECT checkout.open_checkout_session(%1$L, NULL)',
    'SELECT checkout.open_checkout_session(%1$L, '''')', 'SELECT checkout.open_checkout_session(%1$L, %4$L)',
    'SELECT checkout.open_checkout_session(%3$L, %2$L)', 'SELECT checkout.cancel_checkout_session(%3$L, %2$L)',
    'SELECT checkout.restart_checkout_session(%3$L, %2$L)',
    'SELECT checkout.simulate_public_payment(%3$L, %2$L, ''complete'')',
    'SELECT checkout.cancel_checkout_session(%1$L, %2$L, '''')',
    'SELECT checkout.cancel_checkout_session(%1$L, %2$L, ''Too expensive'')',
    'SELECT checkout.cancel_checkout_session(%1$L, %2$L, repeat(''a'', 65))',
    'SELECT checkout.cancel_checkout_session(%1$L, %2$L, ''other'', repeat(''a'', 501))',
    'SELECT checkout.cancel_checkout_session(%1$L, %2$L, ''other'', E''\u0007'')',
    'SELECT checkout.restart_checkout_session(%1$L, %2$L)', 'SELECT checkout.page_policy(NULL)']) AS call;

-- Each cancellation that says something new is an event, with the session as it was.
SELECT status FROM checkout.cancel_checkout_session(:'id', :'secret');
SELECT status FROM checkout.cancel_checkout_session(:'id', :'secret', 'other', 'Another "day"');
SELECT status FROM checkout.cancel_checkout_session(:'id', :'secret', 'other', 'Another "day"');
\c - postgres
SELECT o.sequence, o.event_type, b.body #>> '{data,object,status}' AS status,
    b.body #> '{data,cancellation}' AS cancellation
FROM checkout_data.webhook_outbox o JOIN checkout_data.checkout_sessions s ON s.checkout_session_id = o.subject_id,
    LATERAL (SELECT checkout_data.event_body(o, s)::jsonb) AS b (body)
WHERE o.subject_id = :'id' ORDER BY o.sequence;
SELECT s.event_count, o.event_count
FROM checkout_data.checkout_sessions s JOIN checkout_data.open_sessions o USING (checkout_session_id)
WHERE s.checkout_session_id = :'id';
\c - visitor
-- Where the organization wants, who cancels ends the session; not while a payment is in progress.
\c - postgres
SELECT cancel_expires, allow_restart FROM checkout.update_organization(:'organization', cancel_expires => true);
\c - shop_pages
SELECT status FROM checkout.begin_payment(:'id', 'pages-3');
\c - visitor
SELECT testing.outcome(format('SELECT checkout.cancel_checkout_session(%L, %L)', :'id', :'secret'));
\c - shop_pages
SELECT status FROM checkout.record_payment(:'id', 'pages-3', 'canceled');
\c - visitor
SELECT status, payment_method_urls FROM checkout.cancel_checkout_session(:'id', :'secret', 'other', 'Another day');
-- What has ended does not change, and is not opened.
SELECT status FROM checkout.cancel_checkout_session(:'id', :'secret', 'delivery');
SELECT status FROM checkout.open_checkout_session(:'id', :'secret');
\c - shop_pages
SELECT reason_code, reason FROM checkout.session_visits;
SELECT status, url FROM checkout.get_checkout_session(:'id');
SELECT event_type, body LIKE '%pay.example%' AS has_the_page
FROM checkout.list_webhook_events(:'id', 'checkout.session.expired');

-- The buyer starts again: only where the organization allows it. The new session has the contents of the old one.
\c - visitor
SELECT testing.outcome(format('SELECT checkout.restart_checkout_session(%L, %L)', :'id', :'secret'));
SELECT can_restart FROM checkout.public_checkout_session(:'id', :'secret');
\c - postgres
SELECT allow_restart FROM checkout.update_organization(:'organization', allow_restart => true);
\c - visitor
SELECT can_restart FROM checkout.public_checkout_session(:'id', :'secret');
SELECT checkout_session_id AS new, client_secret AS new_secret, checkout_session_id <> :'id' AS another,
    url = 'https://pay.example/pay/' || checkout_session_id || '#' || client_secret AS of_the_page
FROM checkout.restart_checkout_session(:'id', :'secret') \gset
\echo :another :of_the_page
SELECT status, amount, can_restart, cancel_url FROM checkout.public_checkout_session(:'new', :'new_secret');
-- Again and again: the same one.
SELECT checkout_session_id = :'new' AS same FROM checkout.restart_checkout_session(:'id', :'secret');
SELECT testing.outcome(format('SELECT checkout.restart_checkout_session(%L, %L)', :'new', :'new_secret'));
\c - shop_pages
SELECT created_by, created_with, recovered_from = :'id' AS recovered FROM checkout.get_checkout_session(:'new');
SELECT status FROM checkout.record_payment(:'new', 'pages-4', 'succeeded', 10);
\c - visitor
SELECT testing.outcome(format('SELECT checkout.restart_checkout_session(%L, %L)', :'id', :'secret'));

-- Another session of the same reference is not handed to the buyer, whatever the reference policy does for servers.
\c - postgres
SELECT reference_policy FROM checkout.update_organization(:'organization', reference_policy => 'return_existing');
\c - shop_pages
SELECT s.checkout_session_id AS lapsed, s.client_secret AS lapsed_secret
FROM checkout.create_checkout_session(5, 'USD', customer_id => 'c', reference => 'order-1') AS s \gset
SELECT status FROM checkout.expire_checkout_session(:'lapsed');
SELECT count(*) FROM checkout.create_checkout_session(5, 'USD', customer_id => 'c', reference => 'order-1');
\c - visitor
SELECT testing.outcome(format('SELECT checkout.restart_checkout_session(%L, %L)', :'lapsed', :'lapsed_secret'));

-- The server of the page asks which other pages may show it in a frame. It has no credential, and learns nothing else.
\c - postgres
SELECT embedding_origins FROM checkout.update_organization(:'organization', embedding_origins =>
    '{https://Shop.example:443,http://localhost:3000}');
\c - visitor
SELECT embedding_origins FROM checkout.page_policy(:'new');
SELECT embedding_origins FROM checkout.page_policy(:'of_other');
SELECT embedding_origins FROM checkout.page_policy('01890000-0000-7000-8000-000000000000');

-- In the test environment the buyer plays the provider, too; not in the live one.
SELECT testing.outcome(
    format('SELECT checkout.simulate_public_payment(%L, %L, ''late'')', :'lapsed', :'lapsed_secret'));
\c - shop_pages_test
SELECT checkout_session_id AS id, client_secret AS secret
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c') \gset
\c - visitor
SELECT status, payment_status, attempts, failure_code
FROM checkout.simulate_public_payment(:'id', :'secret', 'decline:card_declined');
SELECT status, payment_status FROM checkout.simulate_public_payment(:'id', :'secret', 'slow');
SELECT status, payment_status, success_url FROM checkout.simulate_public_payment(:'id', :'secret', 'complete');
SELECT testing.outcome(format('SELECT checkout.simulate_public_payment(%L, %L, %L)', :'id', :'secret', scenario))
FROM unnest(ARRAY['', 'paid', 'decline:', NULL, 'error:418']) AS scenario;

-- A session that a browser created holds nothing, so others may take what it sells: the page says so before it is paid.
\c - postgres
SELECT testing.key(:'organization', 'publishable') AS browser \gset
\c - shop_pages
SELECT p.product_id, c.price_id FROM checkout.create_product('Mug', 'pages-mug', on_hand => 1) AS p,
    checkout.create_price(p.product_id, 'USD', 12, price_id => 'pages-mug-usd', is_default => true) AS c;
\c - visitor
BEGIN;
SELECT kind FROM checkout.authenticate(:'browser');
SELECT checkout_session_id AS id, client_secret AS secret
FROM checkout.create_checkout_session(customer_id => 'c', lines => '[{"price_id": "pages-mug-usd"}]') \gset
COMMIT;
SELECT status, sold_out FROM checkout.public_checkout_session(:'id', :'secret');
\c - shop_pages
SELECT checkout_session_id AS holder, client_secret AS its_secret
FROM checkout.create_checkout_session(customer_id => 'c', lines => '[{"price_id": "pages-mug-usd"}]') \gset
SELECT sold_out FROM checkout.public_checkout_session(:'id', :'secret');
SELECT sold_out FROM checkout.public_checkout_session(:'holder', :'its_secret');
SELECT status FROM checkout.expire_checkout_session(:'holder');
SELECT sold_out FROM checkout.public_checkout_session(:'id', :'secret');

-- The rows of visits obey the table's rules.
\c - postgres
SELECT change, split_part(testing.outcome('UPDATE checkout_data.session_visits SET ' || change), ' / ', 1) AS outcome
FROM unnest(ARRAY[
    'last_opened_at = NULL', 'last_opened_at = first_opened_at - interval ''1 second''', 'cancelled_at = NULL',
    'reason_code = ''Two words''', 'reason = ''''']) AS change;
