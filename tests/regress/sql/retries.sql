-- Attempts, leases of every length, and payments that are canceled.
SELECT checkout.create_organization('Retries') AS organization \gset
SELECT testing.login('shop_retries', :'organization');
\c - shop_retries

-- While another payment holds a lease, the last failure does not fail the session: it fails, if still unpaid, when that
-- ends.
SELECT testing.new_session(retries => 0) AS id \gset
SELECT status FROM checkout.begin_payment(:'id', 'holder-1');
SELECT status FROM checkout.record_payment(:'id', 'other-1', 'failed');
SELECT * FROM testing.state(:'id');
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''third-1'')', :'id'));
SELECT status FROM checkout.record_payment(:'id', 'holder-1', 'succeeded');
SELECT testing.story(:'id');
-- It ends with a failure, ...
SELECT testing.new_session(retries => 0) AS id \gset
SELECT status FROM checkout.begin_payment(:'id', 'holder-2');
SELECT status FROM checkout.record_payment(:'id', 'other-2', 'failed');
SELECT status FROM checkout.record_payment(:'id', 'holder-2', 'failed');
SELECT testing.story(:'id');
-- ... is canceled, ...
SELECT testing.new_session(retries => 0) AS id \gset
SELECT status FROM checkout.begin_payment(:'id', 'holder-3');
SELECT status FROM checkout.record_payment(:'id', 'other-3', 'failed');
SELECT status FROM checkout.record_payment(:'id', 'holder-3', 'canceled');
SELECT * FROM testing.state(:'id');
SELECT testing.story(:'id');
-- ... pays too little, ...
SELECT testing.new_session(retries => 0) AS id \gset
SELECT status FROM checkout.begin_payment(:'id', 'holder-4');
SELECT status FROM checkout.record_payment(:'id', 'other-4', 'failed');
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'holder-4', 'succeeded', 1);
SELECT testing.story(:'id');
-- ... or lapses, long before the session's deadline. Then it is failed by the clock, for all readers.
SELECT testing.new_session(retries => 0) AS id \gset
SELECT status FROM checkout.begin_payment(:'id', 'holder-5', lease => '1 minute');
SELECT status FROM checkout.record_payment(:'id', 'other-5', 'failed');
SELECT testing.age(:'id', '2 minutes');
SELECT * FROM testing.state(:'id');
SELECT updated_at < expires_at AS before_its_deadline FROM checkout.get_checkout_session(:'id');
SELECT count(*) AS listed_as_failed
FROM checkout.list_checkout_sessions(status => 'failed') WHERE checkout_session_id = :'id';
SELECT count(*) AS listed_as_open
FROM checkout.list_checkout_sessions(status => 'open') WHERE checkout_session_id = :'id';
SELECT testing.outcome(format('SELECT checkout.expire_checkout_session(%L)', :'id'));
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''holder-5'')', :'id'));
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'id'));
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'holder-5', 'succeeded');
SELECT testing.story(:'id');
-- The sweep writes the event of that.
SELECT testing.new_session(retries => 0) AS id \gset
SELECT status FROM checkout.begin_payment(:'id', 'holder-6', lease => '1 minute');
SELECT status FROM checkout.record_payment(:'id', 'other-6', 'failed');
SELECT testing.age(:'id', '2 minutes');
\c - postgres
SELECT checkout.expire_due_checkout_sessions(100000) > 0 AS swept;
SELECT status, event_count FROM checkout_data.checkout_sessions WHERE checkout_session_id = :'id';
\c - shop_retries
SELECT event_type, object ->> 'status' AS status, object ->> 'attempts' AS attempts,
    object ->> 'payment_status' AS payment,
    (object ->> 'updated_at')::timestamptz < (object ->> 'expires_at')::timestamptz AS before_its_deadline
FROM (SELECT event_type, body::jsonb #> '{data,object}' FROM checkout.list_webhook_events(:'id', page_size => 1))
    AS e (event_type, object);
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'holder-6', 'succeeded');
SELECT testing.story(:'id');
SELECT created, completed, failed, expired, open FROM checkout.session_funnel(bucket => 'month');

-- Each failed attempt of a payment counts, and each once, in whatever order it is reported.
SELECT testing.new_session(retries => 2) AS id \gset
SELECT attempt, p.status, p.idempotent_replay
FROM unnest(ARRAY['a', 'b', 'a', 'b']) WITH ORDINALITY AS t (attempt, n),
    checkout.record_payment(:'id', 'attempts', 'failed', attempt_id => attempt) AS p ORDER BY n;
SELECT * FROM testing.state(:'id');
-- The buyer tries again under the same id; a late report of an earlier attempt does not end the lease.
SELECT status FROM checkout.begin_payment(:'id', 'attempts');
SELECT status, idempotent_replay FROM checkout.record_payment(:'id', 'attempts', 'failed', attempt_id => 'a');
SELECT * FROM testing.state(:'id');
SELECT status FROM checkout.record_payment(:'id', 'attempts', 'failed', attempt_id => 'c');
SELECT * FROM testing.state(:'id');
SELECT testing.story(:'id');
-- Without attempt_id a payment counts once.
SELECT testing.new_session(retries => 1) AS id \gset
SELECT p.status, p.idempotent_replay
FROM unnest(ARRAY['failed', 'failed', 'failed']) AS outcome,
    checkout.record_payment(:'id', 'no attempt id', outcome) AS p;
SELECT * FROM testing.state(:'id');

-- The buyer left the provider's page: no attempt counts; retry, expire and a new session work at once.
SELECT testing.new_session(retries => 0) AS id \gset
SELECT status FROM checkout.begin_payment(:'id', 'left-1');
SELECT status, lease_expires_at FROM checkout.record_payment(:'id', 'left-1', 'canceled');
SELECT status, idempotent_replay FROM checkout.record_payment(:'id', 'left-1', 'canceled');
SELECT * FROM testing.state(:'id');
SELECT status, idempotent_replay FROM checkout.begin_payment(:'id', 'left-1');
SELECT status FROM checkout.record_payment(:'id', 'left-1', 'canceled');
SELECT status FROM checkout.begin_payment(:'id', 'left-2');
SELECT status FROM checkout.record_payment(:'id', 'left-2', 'canceled');
SELECT status FROM checkout.expire_checkout_session(:'id');
SELECT testing.story(:'id');
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'left-2', 'succeeded');
\c - postgres
SELECT reference_policy FROM checkout.update_organization(:'organization', reference_policy => 'expire_previous');
\c - shop_retries
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(50, 'USD', customer_id => 'c', reference => 'left') \gset
SELECT status FROM checkout.begin_payment(:'id', 'left-3');
SELECT testing.outcome(
    'SELECT checkout.create_checkout_session(50, ''USD'', customer_id => ''c'', reference => ''left'')');
SELECT status FROM checkout.record_payment(:'id', 'left-3', 'canceled');
SELECT testing.outcome(
    'SELECT checkout.create_checkout_session(50, ''USD'', customer_id => ''c'', reference => ''left'')');
SELECT * FROM testing.state(:'id');
-- A success that is reported after all is money.
SELECT testing.new_session() AS id \gset
SELECT status FROM checkout.record_payment(:'id', 'left-4', 'canceled');
SELECT status FROM checkout.record_payment(:'id', 'left-4', 'succeeded');

-- Payments that settle later: leases are bounded by the organization, and by payment method.
\c - postgres
SELECT maximum_lease, payment_method_leases
FROM checkout.update_organization(:'organization', maximum_lease => '20 minutes',
    payment_method_leases => '{"bank_transfer": "3 days", "mobile_money": "PT6H"}');
\c - shop_retries
SELECT testing.new_session() AS id \gset
SELECT method, span, testing.outcome(
    format('SELECT checkout.begin_payment(%L, %L, %L, %L)', testing.new_session(), method || span, method, span))
FROM (VALUES ('payid', '20 minutes'), ('payid', '20 minutes 1 second'), ('bank_transfer', '3 days'),
    ('bank_transfer', '73 hours'), ('bank_transfer', '0.9 seconds')) AS l (method, span);
SELECT lease_expires_at - updated_at AS lease FROM checkout.begin_payment(:'id', 'transfer', 'bank_transfer', '2 days');
SELECT testing.age(:'id', '47 hours');
SELECT expires_at < now() AS past_deadline, status, payment_status FROM checkout.get_checkout_session(:'id');
SELECT status FROM checkout.record_payment(:'id', 'transfer', 'succeeded');
\c - postgres
SELECT left(value, 60) AS value, testing.outcome(
    format('SELECT checkout.update_organization(%L, payment_method_leases => %L)', :'organization', value))
FROM (VALUES ('[]'), ('{"card": 5}'), ('{"card": "soon"}'), ('{"card": "31 days"}'), ('{"card": "0"}'),
    ('{"": "1 day"}'), ('{"card": "178000001 years"}'), ('{"card": null}'), ('{"card": "-1 day"}'),
    ((SELECT jsonb_object_agg('m' || n, '1 day')::text FROM generate_series(1, 51) AS n))) AS v (value);
SELECT testing.outcome(format('SELECT checkout.update_organization(%L, maximum_lease => %L)', :'organization', span))
FROM unnest(ARRAY['0', '-1 day', '31 days', '30 days']) AS span;
SELECT payment_method_leases FROM checkout.update_organization(:'organization', payment_method_leases => '{}');
