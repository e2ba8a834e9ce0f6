-- A payment that has begun holds its session open until its lease ends, past the deadline too, but no longer.
SELECT checkout.create_organization('Leases') AS organization \gset
SELECT testing.login('shop_leases', :'organization');
\c - shop_leases

-- While the lease runs, no other payment may begin, and the session cannot be expired.
SELECT testing.new_session() AS id \gset
SELECT status, lease_expires_at - updated_at AS lease
FROM checkout.begin_payment(:'id', 'lease-1', lease => '15 minutes');
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''lease-2'')', :'id'));
SELECT testing.outcome(format('SELECT checkout.expire_checkout_session(%L)', :'id'));
\set VERBOSITY terse
SELECT checkout.expire_checkout_session(:'id');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
-- A second begin of the same payment is a replay: the lease stays the same.
SELECT status, lease_expires_at - created_at AS lease, idempotent_replay
FROM checkout.begin_payment(:'id', 'lease-1', lease => '1 minute');
SELECT count(*) FROM checkout.list_payments(:'id');
-- A payment that was not begun is accepted all the same; the one that was begun is then too late.
SELECT status FROM checkout.record_payment(:'id', 'lease-3', 'succeeded');
SELECT * FROM testing.state(:'id');
SELECT status, rejection_reason, lease_expires_at FROM checkout.record_payment(:'id', 'lease-1', 'succeeded');
SELECT testing.story(:'id');

-- A failure ends the lease of its own payment, not of another.
SELECT testing.new_session() AS id \gset
SELECT status FROM checkout.begin_payment(:'id', 'own-1');
SELECT status FROM checkout.record_payment(:'id', 'own-2', 'failed');
SELECT * FROM testing.state(:'id');
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'own-3', 'succeeded', amount => 1);
SELECT * FROM testing.state(:'id');
SELECT status FROM checkout.record_payment(:'id', 'own-1', 'failed');
SELECT * FROM testing.state(:'id');
SELECT status FROM checkout.begin_payment(:'id', 'own-4');
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''own-1'')', :'id'));
-- A success of the wrong amount ends its own lease, too.
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'own-4', 'succeeded', amount => 1);
SELECT * FROM testing.state(:'id');

-- Past the deadline, with a lease: open, and can be paid.
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(50, 'USD', customer_id => 'c', expires_in => '1 second') \gset
SELECT status FROM checkout.begin_payment(:'id', 'held', lease => '1 minute');
SELECT pg_sleep(1.1);
SELECT expires_at < clock_timestamp() AS past_deadline, status, payment_status
FROM checkout.get_checkout_session(:'id');
SELECT checkout_session_id = :'id' AS listed_as_open
FROM checkout.list_checkout_sessions(status => 'open', page_size => 1);
\c - postgres
SELECT checkout.expire_due_checkout_sessions() >= 0 AS swept;
\c - shop_leases
SELECT status FROM checkout.record_payment(:'id', 'held', 'succeeded');
SELECT status, payment_status, completed_at > expires_at AS late_but_held FROM checkout.get_checkout_session(:'id');
SELECT testing.story(:'id');

-- The lease ends by the clock, and so does the session, without the worker.
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(50, 'USD', customer_id => 'c', expires_in => '1 second') \gset
SELECT status FROM checkout.begin_payment(:'id', 'lapsed', lease => '1.1 seconds');
SELECT pg_sleep(1.2);
SELECT * FROM testing.state(:'id');
SELECT count(*) AS listed_as_open
FROM checkout.list_checkout_sessions(status => 'open') WHERE checkout_session_id = :'id';
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''lapsed'')', :'id'));
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''lapsed-2'')', :'id'));
-- The money of the begun payment comes too late: it is recorded and rejected, and the two events are in order.
SELECT status, rejection_reason, lease_expires_at, idempotent_replay
FROM checkout.record_payment(:'id', 'lapsed', 'succeeded');
SELECT status, rejection_reason, idempotent_replay FROM checkout.record_payment(:'id', 'lapsed', 'succeeded');
SELECT * FROM testing.state(:'id');
SELECT testing.story(:'id');

-- A lease that ends before the deadline leaves the session open for others.
SELECT testing.new_session() AS id \gset
SELECT status FROM checkout.begin_payment(:'id', 'first', lease => '1 minute');
SELECT testing.age(:'id', '2 minutes');
SELECT * FROM testing.state(:'id');
SELECT status, idempotent_replay FROM checkout.begin_payment(:'id', 'second', lease => '2 minutes');
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''first'')', :'id'));
SELECT testing.age(:'id', '3 minutes');
-- A begin after the end of its lease gets a new lease, and is no replay
SELECT status, idempotent_replay, lease_expires_at > clock_timestamp() AS running
FROM checkout.begin_payment(:'id', 'first', lease => '3 minutes');
-- The first payment that succeeds is accepted, the other rejected.
SELECT status FROM checkout.record_payment(:'id', 'second', 'succeeded');
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'first', 'succeeded');
SELECT testing.story(:'id');

-- Late without any lease: an hour after the deadline
SELECT testing.new_session() AS id \gset
SELECT testing.age(:'id', '2 hours');
SELECT status, rejection_reason
FROM checkout.record_payment(:'id', 'late', 'succeeded', amount => 1, currency_code => 'EUR');
SELECT status FROM checkout.record_payment(:'id', 'late-2', 'failed');
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'late-3', 'succeeded');
SELECT * FROM testing.state(:'id');
SELECT testing.story(:'id');
SELECT updated_at = expires_at AS expired_at_its_deadline FROM checkout.get_checkout_session(:'id');
-- Also if the late payment has failed: it makes the session expired, and does not count as an attempt.
SELECT testing.new_session() AS id \gset
SELECT testing.age(:'id', '2 hours');
SELECT status FROM checkout.record_payment(:'id', 'late-failure', 'failed');
SELECT * FROM testing.state(:'id');
SELECT testing.story(:'id');

-- The time of recording a payment decides whether it is in time, not the start of its transaction.
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(50, 'USD', customer_id => 'c', expires_in => '1 second') \gset
BEGIN;
SELECT status FROM checkout.get_checkout_session(:'id');
SELECT pg_sleep(1.1);
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'slow', 'succeeded');
COMMIT;
SELECT testing.story(:'id');


-- Expired by the sweep, at the end of a lease. The event stays the same when a late payment writes the session's row.
SELECT testing.new_session() AS id \gset
SELECT testing.age(:'id', '50 minutes');
SELECT status FROM checkout.begin_payment(:'id', 'swept', lease => '15 minutes');
SELECT testing.age(:'id', '20 minutes');
SELECT lease_expires_at AS lease FROM checkout.list_payments(:'id') \gset
\c - postgres
SELECT checkout.expire_due_checkout_sessions(100000) > 0 AS swept;
SELECT status, payment_status, event_count FROM checkout_data.checkout_sessions WHERE checkout_session_id = :'id';
\c - shop_leases
SELECT body FROM checkout.list_webhook_events(:'id') \gset
SELECT status, payment_status, updated_at = :'lease' AS at_its_deadline FROM checkout.get_checkout_session(:'id');
SELECT object ->> 'status' AS status, object ->> 'payment_status' AS payment_status,
    (object ->> 'updated_at')::timestamptz = :'lease' AS at_its_deadline
FROM (SELECT :'body'::jsonb #> '{data,object}') AS b (object);
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'swept', 'succeeded');
SELECT sequence, event_type, body = :'body' AS same_body FROM checkout.list_webhook_events(:'id') ORDER BY sequence;
\c - postgres
SELECT status, payment_status, event_count, updated_at = :'lease' AS at_its_deadline
FROM checkout_data.checkout_sessions WHERE checkout_session_id = :'id';
