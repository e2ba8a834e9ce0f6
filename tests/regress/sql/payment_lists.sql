-- The list that an operator works through every morning: the payments of all sessions, filtered, page by page.
SELECT checkout.create_organization('Payment lists') AS organization \gset
SELECT testing.login('shop_payment_lists', :'organization');
\c - shop_payment_lists
CREATE FUNCTION pg_temp.payments(filter text) RETURNS SETOF text LANGUAGE plpgsql AS
    $$ BEGIN RETURN QUERY EXECUTE format('SELECT payment_id FROM checkout.list_payments(%s)', filter); END $$;
SELECT testing.new_session() AS first, testing.new_session() AS second, testing.new_session() AS third \gset
SELECT status FROM checkout.record_payment(:'first', 'one', 'succeeded', payment_method => 'card',
    occurred_at => '2026-01-01 00:00+00');
SELECT status FROM checkout.record_payment(:'first', 'two', 'succeeded', payment_method => 'card');
SELECT status FROM checkout.record_payment(:'second', 'three', 'succeeded', 20, payment_method => 'wallet');
SELECT status FROM checkout.record_payment(:'second', 'four', 'succeeded', 50, 'BTC',
    occurred_at => '2026-01-02 00:00+00');
SELECT status FROM checkout.record_payment(:'second', 'five', 'failed');
SELECT status FROM checkout.record_payment(:'second', 'six', 'canceled');
SELECT status FROM checkout.begin_payment(:'third', 'seven');
SELECT status FROM checkout.record_payment(:'third', 'nothing', 'succeeded', -5);

SELECT payment_id, status, rejection_reason, amount FROM checkout.list_payments();
SELECT regexp_replace(filter, '[0-9a-f-]{36}', '<uuid>') AS filter,
    (SELECT string_agg(x.payment_id, ', ') FROM pg_temp.payments(filter) AS x (payment_id)) AS payments
FROM unnest(ARRAY['status => ''rejected''', 'rejection_reason => ''already_paid''', 'payment_method => ''card''',
    'to_refund => true', 'to_refund => false', 'occurred_before => ''2026-01-02 00:00+00''',
    'occurred_after => ''2026-01-02 00:00+00'', occurred_before => ''2026-02-01''', 'page_size => 2',
    'starting_after => ''six'', page_size => 2', 'starting_after => ''one''',
    'status => ''rejected'', starting_after => ''four'', page_size => 1', 'status => NULL, to_refund => NULL',
    format('%L', :'second'), format('%L, starting_after => ''four''', :'second'),
    format('%L, status => ''failed''', :'second'), format('%L, to_refund => true', :'first')
]) AS filter;
-- What is refunded, or being refunded, is no longer on the list; what is left is.
SELECT status FROM checkout.record_refund('two', 'lists-1');
SELECT status FROM checkout.record_refund('three', 'lists-2', 19);
SELECT status FROM checkout.record_refund('four', 'lists-3', status => 'pending');
SELECT payment_id, amount - refunded_amount - pending_refund_amount AS left
FROM checkout.list_payments(to_refund => true);
SELECT status FROM checkout.record_refund('four', 'lists-3', status => 'failed');
SELECT payment_id, amount - refunded_amount - pending_refund_amount AS left
FROM checkout.list_payments(to_refund => true);

-- These are refused.
\a
SELECT call, testing.outcome(format('SELECT checkout.list_payments(%s)', call)) FROM unnest(ARRAY[
    '''01890000-0000-7000-8000-000000000000''', 'status => ''paid''', 'status => ''''', 'rejection_reason => ''late''',
    'page_size => 0', 'page_size => 101', 'starting_after => ''unknown''', 'occurred_after => ''infinity''',
    'occurred_after => ''2026-01-02'', occurred_before => ''2026-01-01''']) AS call;
