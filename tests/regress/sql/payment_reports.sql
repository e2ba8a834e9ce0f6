-- A report of money is always kept, however the provider spells, rounds or repeats it.
SELECT checkout.create_organization('Reports of payments') AS organization \gset
SELECT testing.login('shop_reports_of_payments', :'organization');
\c - shop_reports_of_payments
CREATE FUNCTION pg_temp.report(arguments text, amount numeric DEFAULT 5, currency_code text DEFAULT 'USD')
RETURNS TABLE (status text, rejection_reason text, amount_ numeric, currency text, session text) LANGUAGE plpgsql AS $$
DECLARE
    id uuid;
BEGIN
    SELECT s.checkout_session_id INTO id
    FROM checkout.create_checkout_session(amount, currency_code, customer_id => 'c') AS s;
    EXECUTE format('SELECT p.status, p.rejection_reason, p.amount, p.currency_code
        FROM checkout.record_payment(%L, %L, %s) p', id, 'report ' || id, arguments)
    INTO status, rejection_reason, amount_, currency;
    session := (checkout.get_checkout_session(id)).status;
    RETURN NEXT;
END
$$;

-- Currencies: in lower case, unknown, or left out. What is unknown is kept as it was sent.
SELECT code, r.*
FROM unnest(ARRAY['usd', 'Usd', 'eur', 'USDT', 'BTC', 'us dollars and more', '€', '', '  ', NULL]) AS code,
    pg_temp.report(format('''succeeded'', 5, %L', code)) AS r;

-- Amounts: the noise of binary floating-point numbers is no difference; anything else is one.
SELECT session_amount, code, reported, r.* FROM (VALUES
    (19.99, 'USD', '19.990000000000002'), (19.99, 'USD', '19.989999999999998'), (435, 'XOF', '434.99999999999994'),
    (12345678910, 'USD', '12345678909.999998'), (5, 'USD', '4.99999'), (5, 'USD', '5.000001'), (5, 'USD', '0'),
    (5, 'USD', '-5'), (5, 'USD', '1e40'), (5, 'USD', '1e-40'), (5, 'USD', '5.00000000000000000000000000000000000000001')
) AS a (session_amount, code, reported),
    pg_temp.report(format('''succeeded'', %L', reported), session_amount, code) AS r;

-- Labels are cut and cleaned, and what a success says of failures is of an earlier attempt.
SELECT label, r.status FROM (VALUES
    ('payment_method => '''''), ('payment_method => repeat(''x'', 65)'), ('payment_method => E''ca\x01rd'''),
    ('failure_code => ''00'''), ('failure_code => repeat(''x'', 256)'), ('failure_message => repeat(''x'', 1001)'),
    ('failure_message => '''''), ('failure_message => E''a\x01b'''), ('attempt_id => '''''),
    ('failure_message => repeat(''x'', 10000000)'), ('currency_code => ''USD '''), ('occurred_at => ''infinity'''),
    ('occurred_at => ''294276-12-31''')
) AS l (label), pg_temp.report('''succeeded'', ' || label) AS r;
SELECT testing.new_session() AS id \gset
SELECT status, payment_method, failure_code, length(failure_message) AS length, occurred_at
FROM checkout.record_payment(:'id', 'labels', 'failed', payment_method => E' ca\x01rd ', failure_code => '',
    failure_message => repeat('é', 70000), occurred_at => '2026-01-02 03:04:05+00');

-- What cannot be attributed is refused.
\a
SELECT call, testing.outcome(format('SELECT checkout.record_payment(%s)', replace(call, '$', quote_literal(:'id'))))
FROM unnest(ARRAY[
    'NULL, ''p'', ''succeeded''', '$, NULL, ''succeeded''', '$, '''', ''succeeded''',
    '$, repeat(''x'', 256), ''succeeded''', '$, E''a\x01'', ''succeeded''', '$, ''p'', NULL',
    '$, ''p'', ''paid''', '$, ''p'', ''cancelled''',
    '$, ''p'', ''succeeded'', ''NaN''', '$, ''p'', ''succeeded'', ''Infinity''',
    '$, ''p'', ''succeeded'', ''-Infinity''',
    '''01890000-0000-7000-8000-000000000000'', ''p'', ''succeeded''', '$, ''report of another'', ''succeeded'''
]) AS call;
\a

-- A payment that was rejected for its amount or currency is corrected by a later report, while its session is open.
SELECT checkout_session_id AS id FROM checkout.create_checkout_session(100, 'USD', customer_id => 'c') \gset
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'corrected', 'succeeded', 50);
SELECT status, rejection_reason, currency_code, idempotent_replay
FROM checkout.record_payment(:'id', 'corrected', 'succeeded', 100, 'USDT');
SELECT status, rejection_reason, idempotent_replay FROM checkout.record_payment(:'id', 'corrected', 'failed');
SELECT status, rejection_reason, amount, idempotent_replay
FROM checkout.record_payment(:'id', 'corrected', 'succeeded', 100, 'USD');
SELECT status, idempotent_replay FROM checkout.record_payment(:'id', 'corrected', 'succeeded', 100, 'USD');
SELECT * FROM testing.state(:'id');
SELECT event_type, body::jsonb #>> '{data,payment,amount}' AS amount,
    body::jsonb #>> '{data,payment,currency_code}' AS code
FROM checkout.list_webhook_events(:'id') ORDER BY sequence;
-- What a later report leaves out stays as it was reported: neither is too little accepted, nor does money disappear.
SELECT testing.new_session() AS id \gset
SELECT status, amount FROM checkout.record_payment(:'id', 'left out', 'succeeded', 60, 'EUR');
SELECT status, amount, currency_code, idempotent_replay FROM checkout.record_payment(:'id', 'left out', 'succeeded');
SELECT status, amount, currency_code, idempotent_replay
FROM checkout.record_payment(:'id', 'left out', 'succeeded', 50);
-- After the session has ended it is still known how much was taken.
SELECT testing.new_session() AS id \gset
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'too little', 'succeeded', 40);
SELECT testing.age(:'id', '2 hours');
SELECT status, rejection_reason, amount FROM checkout.record_payment(:'id', 'too little', 'succeeded', 50);
SELECT testing.story(:'id');
-- What contradicts an accepted payment is kept beside it.
SELECT testing.new_session() AS id \gset
SELECT status FROM checkout.record_payment(:'id', 'accepted', 'succeeded');
SELECT status, amount, reported_amount, reported_currency_code, idempotent_replay
FROM checkout.record_payment(:'id', 'accepted', 'succeeded', 49, 'eur');
SELECT testing.story(:'id');

-- An organization may require that a success says its amount.
\c - postgres
SELECT require_payment_amount FROM checkout.update_organization(:'organization', require_payment_amount => true);
\c - shop_reports_of_payments
SELECT testing.new_session() AS id \gset
SELECT testing.outcome(format('SELECT checkout.record_payment(%L, ''no amount'', ''succeeded'')', :'id'));
SELECT status FROM checkout.record_payment(:'id', 'no amount', 'failed');
SELECT status FROM checkout.record_payment(:'id', 'no amount', 'succeeded', 50);
