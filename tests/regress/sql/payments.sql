-- Payments: one is accepted. A payment that cannot be accepted is stored with the reason.
SELECT checkout.create_organization('Payments', payment_methods => '{card,bank_transfer}') AS organization \gset
SELECT testing.login('shop_payments', :'organization');
SELECT testing.login('shop_payments_test', :'organization', 'test');
\c - shop_payments

-- A buyer pays.
SELECT testing.new_session() AS id \gset
SELECT payment_id, status, rejection_reason, amount, currency_code, payment_method,
    lease_expires_at - created_at AS lease,
    idempotent_replay, updated_at = created_at AS unchanged, checkout_session_id = :'id' AS of_session, environment,
    organization_id = checkout.current_organization_id() AS mine
FROM checkout.begin_payment(:'id', 'pay-1', 'card');
SELECT * FROM testing.state(:'id');
SELECT payment_id, status, rejection_reason, amount, currency_code, payment_method, lease_expires_at, failure_code,
    failure_message, idempotent_replay
FROM checkout.record_payment(:'id', 'pay-1', 'succeeded', amount => 50.00, currency_code => 'USD');
SELECT * FROM testing.state(:'id');
SELECT completed_at = updated_at AS updated_then, completed_at < expires_at AS in_time
FROM checkout.get_checkout_session(:'id');
SELECT testing.story(:'id');

-- The provider reports it again and again: the answer is the same, and nothing changes.
SELECT status, idempotent_replay
FROM checkout.record_payment(:'id', 'pay-1', 'succeeded', amount => 50, currency_code => 'USD');
SELECT status, idempotent_replay FROM checkout.record_payment(:'id', 'pay-1', 'succeeded');
-- A late failure does not undo a success.
SELECT status, failure_code, idempotent_replay
FROM checkout.record_payment(:'id', 'pay-1', 'failed', failure_code => 'late');
-- A contradiction changes nothing of what was accepted.
SELECT testing.outcome(format('SELECT checkout.record_payment(%L, ''pay-1'', ''succeeded'', amount => 51)', :'id'));
SELECT testing.outcome(
    format('SELECT checkout.record_payment(%L, ''pay-1'', ''succeeded'', currency_code => ''EUR'')', :'id'));
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''pay-1'')', :'id'));
SELECT testing.story(:'id');

-- A second payment of the same session is rejected, and kept for a refund.
SELECT status, rejection_reason, amount, idempotent_replay
FROM checkout.record_payment(:'id', 'pay-2', 'succeeded', amount => 50);
SELECT status, rejection_reason, amount, idempotent_replay
FROM checkout.record_payment(:'id', 'pay-2', 'succeeded', amount => 50);
SELECT testing.outcome(format('SELECT checkout.record_payment(%L, ''pay-2'', ''succeeded'', amount => 49)', :'id'));
SELECT status, idempotent_replay FROM checkout.record_payment(:'id', 'pay-2', 'failed');
-- A failed one does no harm.
SELECT status, rejection_reason
FROM checkout.record_payment(
    :'id', 'pay-3', 'failed', failure_code => 'card_declined', failure_message => 'Do not honor');
SELECT * FROM testing.state(:'id');
SELECT testing.story(:'id');
-- All of them are stored, oldest first.
SELECT payment_id, status, rejection_reason, failure_code, failure_message, lease_expires_at, idempotent_replay
FROM checkout.list_payments(:'id');

-- The wrong amount, the wrong currency: rejected, and the session stays open for the right one.
SELECT testing.new_session() AS id \gset
SELECT payment_id, status, rejection_reason, amount, currency_code
FROM (VALUES ('less', 49.99, 'USD'), ('more', 50.01, 'USD'), ('nothing', 0, 'USD'), ('euros', 50, 'EUR'),
    ('other euros', 49, 'EUR'),
    ('a lot', 1000000000000000000, 'USD'), ('finer', 50.00001, 'USD')) AS paid (id, paid, currency),
    LATERAL checkout.record_payment(:'id', paid.id, 'succeeded', paid.paid, paid.currency);
SELECT * FROM testing.state(:'id');
SELECT status FROM checkout.record_payment(:'id', 'right', 'succeeded', 50.0, 'USD', 'wallet');
SELECT * FROM testing.state(:'id');
SELECT testing.story(:'id');

-- Failures may be retried as often as the session allows. Then it is failed.
SELECT testing.new_session(retries => 2) AS id \gset
SELECT p.status, s.*
FROM checkout.record_payment(:'id', 'try-1', 'failed', failure_code => 'card_declined') AS p,
    LATERAL testing.state(:'id') AS s;
SELECT * FROM testing.state(:'id');
-- A replay of a failure does not count.
SELECT status, failure_code, idempotent_replay
FROM checkout.record_payment(:'id', 'try-1', 'failed', failure_code => 'other');
SELECT * FROM testing.state(:'id');
-- A payment that has begun counts once.
SELECT status FROM checkout.begin_payment(:'id', 'try-2');
SELECT status FROM checkout.record_payment(:'id', 'try-2', 'failed');
SELECT * FROM testing.state(:'id');
SELECT status FROM checkout.record_payment(:'id', 'try-3', 'failed');
SELECT * FROM testing.state(:'id');
-- Money for a failed session is rejected; another failure is only recorded.
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'try-4', 'succeeded');
SELECT status FROM checkout.record_payment(:'id', 'try-5', 'failed');
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''try-6'')', :'id'));
SELECT * FROM testing.state(:'id');
SELECT testing.story(:'id');
SELECT payment_id, status, failure_code FROM checkout.list_payments(:'id');
-- Without retries the first failure is the last; with ten retries, the eleventh is.
SELECT testing.new_session(retries => 0) AS id \gset
SELECT status FROM checkout.record_payment(:'id', 'only', 'failed');
SELECT * FROM testing.state(:'id');
SELECT testing.new_session(retries => 10) AS id \gset
SELECT count(p)
FROM (SELECT checkout.record_payment(:'id', 'ten-' || n, 'failed') AS p FROM generate_series(1, 10) AS n) AS ten;
SELECT * FROM testing.state(:'id');
SELECT status FROM checkout.record_payment(:'id', 'ten-11', 'failed');
SELECT * FROM testing.state(:'id');

-- A success of a payment that was reported as failed: it is money, so it counts.
SELECT testing.new_session() AS id \gset
SELECT status
FROM checkout.record_payment(:'id', 'flaky', 'failed', failure_code => 'timeout', failure_message => 'No answer');
SELECT status, failure_code, failure_message, idempotent_replay
FROM checkout.record_payment(:'id', 'flaky', 'succeeded');
SELECT * FROM testing.state(:'id');
SELECT testing.story(:'id');
-- The same after the session has failed
SELECT testing.new_session(retries => 0) AS id \gset
SELECT status FROM checkout.record_payment(:'id', 'flaky-2', 'failed');
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'flaky-2', 'succeeded');
SELECT testing.story(:'id');

-- A payment belongs to one session, in one environment.
SELECT testing.new_session() AS id \gset
SELECT testing.outcome(format('SELECT checkout.%s', call)) FROM unnest(ARRAY[
    format('record_payment(%L, ''pay-1'', ''succeeded'')', :'id'),
    format('record_payment(%L, ''pay-1'', ''failed'')', :'id'),
    format('record_payment(%L, ''flaky'', ''failed'')', :'id'), format('begin_payment(%L, ''pay-1'')', :'id'),
    format('begin_payment(%L, ''try-1'')', :'id')
]) AS call;
SELECT count(*) AS payments FROM checkout.list_payments(:'id');
\c - shop_payments_test
SELECT testing.new_session() AS test \gset
SELECT environment, status FROM checkout.record_payment(:'test', 'pay-1', 'succeeded');
SELECT testing.outcome(format('SELECT checkout.record_payment(%L, ''pay-9'', ''succeeded'')', :'id'));
\c - shop_payments

-- A payment is committed, or rolled back, with the merchant's own rows.
CREATE TEMP TABLE ledger (payment text);
BEGIN;
WITH paid AS (SELECT * FROM checkout.record_payment(:'id', 'rolled back', 'succeeded')) INSERT INTO ledger
    SELECT payment_id
FROM paid;
SELECT * FROM testing.state(:'id');
ROLLBACK;
SELECT * FROM testing.state(:'id');
SELECT count(*) AS payments FROM checkout.list_payments(:'id');
SELECT testing.story(:'id') IS NULL AS no_event;

-- These are refused.
\a
SELECT call, testing.outcome(format('SELECT checkout.%s', replace(call, '$', quote_literal(:'id')))) AS outcome
FROM unnest(ARRAY[
    'begin_payment(NULL, ''p'')', 'begin_payment($, NULL)', 'begin_payment($, '''')', 'begin_payment($, E''a\u0001'')',
    'begin_payment($, ''p'', '''')', 'begin_payment($, ''p'', ''wallet'')', 'begin_payment($, ''p'', ''CARD'')',
    'begin_payment($, ''p'', repeat(''x'', 65))',
    'begin_payment($, repeat(''x'', 256))', 'begin_payment($, ''p'', lease => ''0'')',
    'begin_payment($, ''p'', lease => ''-1 minute'')',
    'begin_payment($, ''p'', lease => ''0.9 seconds'')',
    'begin_payment($, ''p'', lease => ''15 minutes 1 microsecond'')',
    'begin_payment($, ''p'', lease => ''178000000 years'')',
    'begin_payment(''01890000-0000-7000-8000-000000000000'', ''p'')',
    'record_payment(NULL, ''p'', ''failed'')', 'record_payment($, NULL, ''failed'')', 'record_payment($, ''p'', NULL)',
    'record_payment($, '''', ''failed'')',
    'record_payment($, ''p'', '''')', 'record_payment($, ''p'', ''paid'')', 'record_payment($, ''p'', ''Succeeded'')',
    'record_payment($, ''p'', ''succeeded'', ''NaN'')', 'record_payment($, ''p'', ''succeeded'', ''Infinity'')',
    'record_payment(''01890000-0000-7000-8000-000000000000'', ''p'', ''failed'')',
    'list_payments(''01890000-0000-7000-8000-000000000000'')']) AS call;
SELECT count(*) AS payments FROM checkout.list_payments(:'id');
-- The widest values are accepted.
SELECT length(payment_id), length(payment_method), length(failure_code), length(failure_message), amount, status
FROM checkout.record_payment(
    :'id', repeat('ü', 255), 'failed', 0, 'USD', repeat('x', 64), repeat('x', 255), repeat('é', 1000));
