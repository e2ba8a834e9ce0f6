-- A payment that came too late pays the session that was recovered from its expired one.
SELECT checkout.create_organization('Applied payments') AS organization,
    checkout.create_organization('Others') AS others \gset
SELECT testing.login('shop_applied', :'organization');
SELECT testing.login('shop_others', :'others');
\c - shop_applied
SELECT testing.new_session() AS expired \gset
SELECT testing.age(:'expired', '2 hours');
SELECT checkout_session_id AS recovered FROM checkout.recover_checkout_session(:'expired') \gset
SELECT status, rejection_reason FROM checkout.record_payment(:'expired', 'late', 'succeeded');
SELECT payment_id FROM checkout.list_payments(to_refund => true);
SELECT status, rejection_reason, checkout_session_id = :'recovered' AS of_recovered,
    applied_from = :'expired' AS from_expired, idempotent_replay
FROM checkout.apply_payment('late', :'recovered');
SELECT status, idempotent_replay FROM checkout.apply_payment('late', :'recovered');
SELECT payment_id FROM checkout.list_payments(to_refund => true);
SELECT * FROM testing.state(:'recovered');
SELECT testing.story(:'expired');
SELECT testing.story(:'recovered');
SELECT data #>> '{object,status}' AS session, data #>> '{payment,status}' AS payment,
    data #>> '{payment,checkout_session_id}' = :'recovered' AS of_recovered
FROM checkout.list_webhook_events(:'expired', event_type => 'checkout.session.payment_applied') AS e,
    LATERAL (SELECT body::jsonb -> 'data') AS b (data);
-- The provider goes on to report it for the session that it knows.
SELECT status, idempotent_replay FROM checkout.record_payment(:'expired', 'late', 'succeeded');
SELECT status, amount FROM checkout.record_refund('late', 'late-refund', 20);
SELECT testing.story(:'recovered');

-- These are refused.
SELECT testing.new_session(60) AS other_amount, testing.new_session() AS open, testing.new_session() AS paid,
    testing.new_session() AS overdue, testing.new_session() AS second \gset
SELECT checkout_session_id AS other_currency FROM checkout.create_checkout_session(50, 'EUR', customer_id => 'c') \gset
SELECT status FROM checkout.record_payment(:'paid', 'accepted', 'succeeded');
SELECT status FROM checkout.record_payment(:'paid', 'twice', 'succeeded');
SELECT status FROM checkout.record_payment(:'paid', 'refunded', 'succeeded');
SELECT status FROM checkout.record_refund('refunded', 'applied-1', 1, 'pending');
SELECT status FROM checkout.record_payment(:'open', 'failed one', 'failed');
SELECT testing.age(:'overdue', '2 hours');
\c - shop_others
SELECT testing.new_session() AS of_others \gset
\c - shop_applied
\a
SELECT payment, session, testing.outcome(format('SELECT checkout.apply_payment(%L, %L)', payment, id)) FROM (VALUES
    (NULL, 'open', :'open'), ('twice', 'none', NULL), ('', 'open', :'open'), ('unknown', 'open', :'open'),
    ('twice', 'other amount', :'other_amount'), ('twice', 'other currency', :'other_currency'),
    ('twice', 'paid', :'paid'), ('twice', 'overdue', :'overdue'), ('twice', 'of others', :'of_others'),
    ('accepted', 'open', :'open'),
    ('failed one', 'open', :'open'), ('refunded', 'open', :'open'), ('late', 'open', :'open'),
    ('twice', 'unknown', '01890000-0000-7000-8000-000000000000')) AS a (payment, session, id);
\a
-- A payment of the other session is in progress; then it comes too late, and can be applied as well.
SELECT status FROM checkout.begin_payment(:'open', 'begun');
SELECT status FROM checkout.apply_payment('twice', :'open');
SELECT status, rejection_reason FROM checkout.record_payment(:'open', 'begun', 'succeeded');
SELECT status FROM checkout.apply_payment('begun', :'second');
SELECT testing.story(:'paid');
SELECT testing.story(:'open');
SELECT testing.story(:'second');
