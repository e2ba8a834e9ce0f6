-- Expiring on request and by the sweep; recovering an expired session.
SELECT checkout.create_organization('Expire', expiring_notice => '10 minutes', base_url => 'https://pay.example')
    AS organization \gset
SELECT testing.login('shop_expire', :'organization');
SELECT testing.login('shop_expire_test', :'organization', 'test');
-- Overdue sessions of other tests must not be counted here.
SELECT checkout.expire_due_checkout_sessions(100000) >= 0 AS swept;
\c - shop_expire

-- On request, an open session. A second time changes nothing.
SELECT testing.new_session() AS id \gset
SELECT status, payment_status, completed_at, expires_at > updated_at AS before_its_deadline
FROM checkout.expire_checkout_session(:'id');
SELECT updated_at AS updated FROM checkout.get_checkout_session(:'id') \gset
SELECT status, updated_at = :'updated' AS untouched FROM checkout.expire_checkout_session(:'id');
SELECT testing.story(:'id');
-- An overdue session is expired as of its deadline.
SELECT testing.new_session() AS id \gset
SELECT testing.age(:'id', '3 hours');
SELECT status, updated_at = expires_at AS at_its_deadline FROM checkout.expire_checkout_session(:'id');
SELECT testing.story(:'id');
-- Neither a session that has ended otherwise, nor another tenant's
SELECT testing.new_session() AS id \gset
SELECT status FROM checkout.record_payment(:'id', 'expire-1', 'succeeded');
SELECT testing.outcome(format('SELECT checkout.expire_checkout_session(%L)', :'id'));
SELECT checkout.expire_checkout_session(:'id');
\echo :LAST_ERROR_SQLSTATE
SELECT testing.new_session(retries => 0) AS id \gset
SELECT status FROM checkout.record_payment(:'id', 'expire-2', 'failed');
SELECT testing.outcome(format('SELECT checkout.expire_checkout_session(%L)', :'id'));
SELECT testing.outcome('SELECT checkout.expire_checkout_session(NULL)');
SELECT testing.outcome('SELECT checkout.expire_checkout_session(''01890000-0000-7000-8000-000000000000'')');
\c - shop_expire_test
SELECT testing.outcome(format('SELECT checkout.expire_checkout_session(%L)', :'id'));
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'id'));
\c - shop_expire

-- The sweep: five overdue sessions of two environments, in batches, with an event each
SELECT testing.age(testing.new_session(n), '2 hours') FROM generate_series(1, 4) AS n \g /dev/null
\c - shop_expire_test
SELECT testing.age(testing.new_session(5), '2 hours') \g /dev/null
\c - postgres
SELECT overdue, lag > interval '59 minutes' AS long_overdue, state FROM checkout.worker_status();
CREATE TEMP TABLE before_the_sweep AS
    SELECT checkout_session_id, xmin AS xmin_, ctid AS ctid_ FROM checkout_data.checkout_sessions;
SELECT checkout.expire_due_checkout_sessions(batch => 3);
SELECT checkout.expire_due_checkout_sessions(3);
SELECT checkout.expire_due_checkout_sessions(3);
SELECT overdue, lag, oldest_overdue_at FROM checkout.worker_status();
-- The sweep writes the event, and that they are no longer open. It does not touch the sessions' rows.
SELECT s.environment, s.status AS stored, o.deadline IS NOT NULL AS among_open, s.event_count, e.event_type, e.sequence,
    count(*), bool_and((s.xmin, s.ctid) IS NOT DISTINCT FROM (b.xmin_, b.ctid_)) AS untouched
FROM checkout_data.checkout_sessions s
    JOIN before_the_sweep b USING (checkout_session_id)
    LEFT JOIN checkout_data.open_sessions o USING (organization_id, environment, checkout_session_id)
    JOIN checkout_data.webhook_outbox e
        ON (e.organization_id, e.environment, e.subject_id) = (s.organization_id, s.environment, s.checkout_session_id)
WHERE s.organization_id = :'organization' AND amount BETWEEN 1 AND 5 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1;
SELECT batch, testing.outcome(format('SELECT checkout.expire_due_checkout_sessions(%L)', batch)) AS expire,
    testing.outcome(format('SELECT checkout.run_maintenance(%L)', batch)) AS maintain
FROM unnest('{NULL,0,-1,100001,1,100000}'::text[]) AS batch;
-- An ordinary role may not sweep.
\c - shop_expire
SELECT testing.outcome('SELECT checkout.expire_due_checkout_sessions()');
SELECT testing.outcome('SELECT checkout.run_maintenance()');

-- The reminder that the organization sets: ten minutes before the deadline, once
SELECT testing.new_session() AS id \gset
SELECT checkout_session_id AS short
FROM checkout.create_checkout_session(50, 'USD', customer_id => 'c', expires_in => '9 minutes') \gset
\c - postgres
SELECT * FROM checkout.run_maintenance() WHERE task IN ('expire', 'remind');
SELECT testing.age(:'id', '51 minutes');
SELECT * FROM checkout.run_maintenance() WHERE task IN ('expire', 'remind');
SELECT * FROM checkout.run_maintenance() WHERE task IN ('expire', 'remind');
\c - shop_expire
SELECT testing.story(:'id');
SELECT testing.story(:'short') AS shorter_than_the_notice;
SELECT * FROM testing.state(:'id');
SELECT testing.age(:'id', '10 minutes');
\c - postgres
SELECT * FROM checkout.run_maintenance() WHERE task IN ('expire', 'remind');
\c - shop_expire
SELECT testing.story(:'id');
-- No reminder for a session that is paid, or overdue by then
SELECT testing.new_session() AS id \gset
SELECT status FROM checkout.record_payment(:'id', 'expire-3', 'succeeded');
SELECT testing.new_session() AS other \gset
SELECT testing.age(:'id', '51 minutes');
SELECT testing.age(:'other', '2 hours');
\c - postgres
SELECT * FROM checkout.run_maintenance() WHERE task IN ('expire', 'remind');
\c - shop_expire
SELECT testing.story(:'id');
SELECT testing.story(:'other');

-- Recover: a new open session with the same contents
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(amount => 129.9, currency_code => 'EUR', title => 'Two chairs',
    description => 'Oak', reference => 'order-1', customer_id => 'customer-7', customer_email => 'ada@example.com',
        customer_name => 'Ada',
    customer_phone => '+44 20 7946 0000', product_id => 'product-9', price_id => 'price-9',
        subscription_id => 'subscription-9',
    payment_link_id => 'link-9', quantity => 2, allow_quantity => true, allow_coupon_code => true,
        require_billing_address => true,
    is_spi => true, is_pos => true, country => 'GB', success_url => 'https://shop.example/{CHECKOUT_SESSION_ID}',
    cancel_url => 'https://shop.example/cart', payment_methods => '{card}', max_retry_attempts => 7,
        metadata => '{"a": 1}') \gset
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'id'));
SELECT status FROM checkout.record_payment(:'id', 'expire-4', 'failed');
SELECT testing.age(:'id', '2 hours');
SELECT checkout_session_id AS new, recovered_from = :'id' AS recovered, attempts, expires_at - created_at AS lifetime,
    url = 'https://pay.example/' || checkout_session_id || '#' || client_secret AS own_url, created_by,
    idempotent_replay
FROM checkout.recover_checkout_session(:'id') \gset
\echo recovered :recovered, attempts :attempts, lifetime :lifetime
\echo own url :own_url, by :created_by, replay :idempotent_replay
SELECT key, old.value AS old, new.value AS new
FROM (SELECT * FROM checkout.get_checkout_session(:'id') AS s, jsonb_each(to_jsonb(s))) AS old
JOIN (SELECT * FROM checkout.get_checkout_session(:'new') AS s, jsonb_each(to_jsonb(s))) AS new USING (key)
WHERE old.value <> new.value
    AND key NOT IN ('checkout_session_id', 'created_at', 'updated_at', 'expires_at', 'url', 'recovered_from',
    'client_secret')
ORDER BY key;
-- This made the overdue one expired, with its event.
SELECT testing.story(:'id');
SELECT testing.story(:'new') AS none;
-- The recovered session lives like any other, with a lifetime of its own.
SELECT status FROM checkout.record_payment(:'new', 'expire-5', 'succeeded');
SELECT * FROM testing.state(:'new');
-- Nobody pays twice: the expired one is paid, by the session that was recovered from it.
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'id'));
SELECT :'new' AS complete, testing.new_session() AS id \gset
SELECT testing.age(:'id', '2 hours');
SELECT checkout_session_id AS new, expires_at - created_at AS lifetime
FROM checkout.recover_checkout_session(:'id', expires_in => '36 hours') \gset
SELECT :'lifetime' AS lifetime;
-- Recovered again, by the original or by one that was recovered from it, it is the same open session.
SELECT checkout_session_id = :'new' AS same, idempotent_replay, client_secret IS NOT NULL AS has_secret
FROM checkout.recover_checkout_session(:'id');
SELECT testing.age(:'new', '40 hours');
SELECT checkout_session_id AS newer, recovered_from = :'id' AS of_the_first, idempotent_replay
FROM checkout.recover_checkout_session(:'id') \gset
SELECT checkout_session_id = :'newer' AS same FROM checkout.recover_checkout_session(:'new');
SELECT testing.age(:'newer', '2 hours');
SELECT now() + interval '2 hours' AS at \gset
SELECT expires_at = :'at' AS as_asked FROM checkout.recover_checkout_session(:'id', expires_at => :'at');
-- Only an expired session can be recovered, and only within the bounds of every session.
\a
SELECT call, testing.outcome(
        format('SELECT checkout.recover_checkout_session(%s)', replace(call, '$', quote_literal(:'id'))))
FROM unnest(ARRAY[
    'NULL', '''01890000-0000-7000-8000-000000000000''', quote_literal(:'complete'), '$, expires_in => ''49 hours''',
    '$, expires_in => ''0''',
    '$, expires_at => ''yesterday''', '$, expires_at => ''infinity''',
    '$, expires_at => ''tomorrow'', expires_in => ''1 hour''']) AS call \g | sed -E 's/[0-9a-f-]{36}/<uuid>/g'
SELECT testing.new_session(retries => 0) AS failed \gset
SELECT status FROM checkout.record_payment(:'failed', 'expire-6', 'failed');
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'failed'));
