-- Refunds: of accepted and of rejected payments, in part or in whole, and never more than was paid.
SELECT checkout.create_organization('Refunds') AS organization \gset
SELECT testing.login('shop_refunds', :'organization');
\c - shop_refunds
SELECT testing.new_session() AS id \gset
SELECT status FROM checkout.record_payment(:'id', 'paid', 'succeeded');

-- Partial refunds add up. A call that is repeated changes nothing.
SELECT payment_id, status, amount, currency_code, reason, idempotent_replay
FROM checkout.record_refund('paid', 're-1', 20, reason => 'One of two came broken');
SELECT status, amount, idempotent_replay FROM checkout.record_refund('paid', 're-1', 20);
SELECT status, amount, idempotent_replay FROM checkout.record_refund('paid', 're-1');
SELECT status, amount FROM checkout.record_refund('paid', 're-2', 10.000000000000002, 'pending');
SELECT status, refunded_amount, pending_refund_amount FROM checkout.list_payments(:'id');
SELECT call, testing.outcome(format('SELECT checkout.record_refund(%s)', call))
FROM unnest(ARRAY['''paid'', ''re-3'', 20.01', '''paid'', ''re-3'', 1e40', '''paid'', ''re-1'', 21',
    '''paid'', ''re-3'', 20.01, ''pending''']) AS call;
SELECT status FROM checkout.record_refund('paid', 're-2', status => 'succeeded');
-- A late report that it is pending changes nothing; one without an amount returns what is left.
SELECT status, idempotent_replay FROM checkout.record_refund('paid', 're-2', status => 'pending');
SELECT status, amount FROM checkout.record_refund('paid', 're-3');
SELECT testing.outcome('SELECT checkout.record_refund(''paid'', ''re-4'')');
SELECT status, payment_status FROM checkout.get_checkout_session(:'id');
SELECT status, refunded_amount, pending_refund_amount FROM checkout.list_payments(:'id');
-- The bank sends one back: what it returned is left again.
SELECT status FROM checkout.record_refund('paid', 're-3', status => 'failed');
SELECT refunded_amount FROM checkout.list_payments(:'id');
SELECT status, amount FROM checkout.record_refund('paid', 're-4');
SELECT testing.outcome('SELECT checkout.record_refund(''paid'', ''re-3'', status => ''succeeded'')');
SELECT refund_id, status, amount, reason FROM checkout.list_refunds('paid');
SELECT event_type, data #>> '{payment,refunded_amount}' AS refunded, data #>> '{refund,refund_id}' AS refund,
    data #>> '{refund,amount}' AS amount, data #>> '{object,status}' AS session
FROM checkout.list_webhook_events(:'id') AS e, LATERAL (SELECT body::jsonb -> 'data') AS b (data) ORDER BY sequence;

-- Of rejected payments, whatever state their session is in.
SELECT testing.new_session() AS open, testing.new_session() AS overdue, testing.new_session() AS swept \gset
SELECT status, rejection_reason FROM checkout.record_payment(:'open', 'wrong', 'succeeded', 7, 'BTC');
SELECT status, rejection_reason FROM checkout.record_payment(:'overdue', 'of overdue', 'succeeded', 7);
SELECT status, rejection_reason FROM checkout.record_payment(:'swept', 'of swept', 'succeeded', 7);
SELECT testing.age(:'overdue', '2 hours'), testing.age(:'swept', '2 hours');
\c - postgres
DELETE FROM checkout_data.open_sessions WHERE checkout_session_id = :'swept';
INSERT INTO checkout_data.webhook_outbox
SELECT organization_id, environment, checkout_session_id, event_count + 1, 'checkout_session',
    'checkout.session.expired', now()
FROM checkout_data.checkout_sessions WHERE checkout_session_id = :'swept';
\c - shop_refunds
SELECT status, amount, currency_code FROM checkout.record_refund('wrong', 're-5');
SELECT status, amount FROM checkout.record_refund('of overdue', 're-6');
SELECT status, amount FROM checkout.record_refund('of swept', 're-7');
SELECT * FROM testing.state(:'open');
SELECT testing.story(:'open');
SELECT testing.story(:'overdue');
SELECT testing.story(:'swept');
-- What was returned pays no session. If more was taken, that is known.
SELECT status, amount FROM checkout.record_payment(:'open', 'wrong', 'succeeded', 5, 'BTC');
SELECT status, rejection_reason, amount, refunded_amount
FROM checkout.record_payment(:'open', 'wrong', 'succeeded', 50, 'BTC');

-- A pending refund has no event, even of an overdue session; a failed one has never reduced what is left.
SELECT testing.new_session() AS id \gset
SELECT status FROM checkout.record_payment(:'id', 'little', 'succeeded', 30);
SELECT testing.age(:'id', '2 hours');
SELECT status FROM checkout.record_refund('little', 're-8', 30, 'pending');
SELECT status FROM checkout.record_refund('little', 're-9', 30, 'failed');
SELECT status FROM checkout.record_refund('little', 're-8', 30, 'failed');
SELECT refunded_amount, pending_refund_amount FROM checkout.list_payments(:'id');
SELECT testing.story(:'id');

-- A refund keeps the currency of its payment. Once it has failed, the money pays the session after all.
SELECT testing.new_session() AS id \gset
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'returned', 'succeeded', 40);
SELECT status FROM checkout.record_refund('returned', 're-10', status => 'pending');
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'returned', 'succeeded', 50);
SELECT status FROM checkout.record_refund('returned', 're-10', status => 'failed');
SELECT status, currency_code, idempotent_replay FROM checkout.record_payment(:'id', 'returned', 'succeeded', 50, 'EUR');
SELECT status FROM checkout.record_payment(:'id', 'returned', 'succeeded', 50);
-- The provider returns as much as it says it took, which is more than was accepted.
SELECT reported_amount FROM checkout.record_payment(:'id', 'returned', 'succeeded', 60);
SELECT status, amount FROM checkout.record_refund('returned', 're-11', 60);
-- A refund that has failed may be tried again with another amount.
SELECT status FROM checkout.record_refund('returned', 're-11', 60, 'failed');
SELECT status, amount FROM checkout.record_refund('returned', 're-11', 10);

-- These are refused.
SELECT testing.new_session() AS id \gset
SELECT status FROM checkout.record_payment(:'id', 'failed one', 'failed');
SELECT status FROM checkout.begin_payment(:'id', 'begun one');
\a
SELECT call, testing.outcome(format('SELECT checkout.%s', call)) FROM unnest(ARRAY[
    'record_refund(NULL, ''r'')', 'record_refund(''paid'', NULL)', 'record_refund('''', ''r'')',
    'record_refund(''paid'', '''')',
    'record_refund(repeat(''x'', 256), ''r'')', 'record_refund(''paid'', E''r\x01'')',
    'record_refund(''unknown'', ''r'')',
    'record_refund(''paid'', ''r'', 0)', 'record_refund(''paid'', ''r'', -1)',
    'record_refund(''paid'', ''r'', ''NaN'')',
    'record_refund(''little'', ''r'', 1, NULL)', 'record_refund(''little'', ''r'', 1, ''done'')',
    'record_refund(''failed one'', ''r'')', 'record_refund(''begun one'', ''r'')',
    'record_refund(''little'', ''re-1'')',
    'list_refunds(NULL)', 'list_refunds('''')', 'list_refunds(''unknown'')']) AS call;
\a
