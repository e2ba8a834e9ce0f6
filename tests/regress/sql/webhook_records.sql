-- Many attempts recorded at once.
SELECT checkout.create_organization('Records') AS organization,
    checkout.create_organization('Records of another') AS other \gset
SELECT testing.login('shop_records', :'organization');
SELECT testing.login('shop_records_other', :'other');
-- A report of an attempt, with more or other keys
CREATE FUNCTION testing.report_of(c checkout.webhook_delivery_request, more jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('event_id', c.event_id, 'webhook_endpoint_id', c.webhook_endpoint_id,
        'lease_token', c.lease_token) || more
$$;
\c - shop_records_other
SELECT webhook_endpoint_id AS of_another FROM checkout.create_webhook_endpoint('https://other.example') \gset
SELECT status FROM checkout.expire_checkout_session(testing.new_session(5));
\c - shop_records
SELECT name FROM checkout.create_webhook_consumer('jobs');
SELECT webhook_endpoint_id AS one
FROM checkout.create_webhook_endpoint('https://shop.example/one', description => 'one') \gset
SELECT webhook_endpoint_id AS two
FROM checkout.create_webhook_endpoint('https://shop.example/two', '{checkout.session.expired}', description => 'two')
    \gset
SELECT count(checkout.expire_checkout_session(testing.new_session(n))) FROM generate_series(10, 15) AS n;
SELECT testing.new_session(20) AS paid \gset
SELECT status FROM checkout.record_payment(:'paid', 'records-1', 'failed');
SELECT status FROM checkout.record_payment(:'paid', 'records-2', 'succeeded');
SELECT event_id AS claimed_event, lease_token AS claimed_token
FROM checkout.claim_webhook_events('jobs', 1) \gset

-- Successes and failures of all organizations in one call
\c - sender
CREATE TEMP TABLE claimed AS
SELECT c AS request, row_number() OVER (ORDER BY body::jsonb #>> '{data,object,amount}', url) AS n,
    body::jsonb #>> '{data,object,amount}' AS amount, webhook_endpoint_id = :'two' AS to_two
FROM checkout.claim_webhook_deliveries() AS c;
SELECT n, amount, to_two FROM claimed ORDER BY n;
CREATE TEMP TABLE reports AS SELECT n, amount, testing.report_of(request, CASE n % 4
    WHEN 1 THEN '{"status_code": 204, "duration": 0.25, "response_body": "thank you"}'
    WHEN 2 THEN '{"status_code": 503, "duration": 1, "retry_after": 3600.5}'
    WHEN 3 THEN '{"error": "connection refused"}'
    ELSE '{"status_code": 500, "error": null, "duration": null, "retry_after": null, "response_body": null}' END::jsonb)
    AS report
FROM claimed;
CREATE TEMP TABLE recorded AS SELECT d.*
FROM (SELECT jsonb_agg(report ORDER BY n DESC) AS reports FROM reports WHERE n <= 8 OR amount = '20.00') AS r,
    checkout.record_webhook_attempts(r.reports) AS d;
SELECT c.n, d.status, d.delivery_attempts, d.last_status_code, d.last_error, d.consumer,
    d.delivered_at = d.last_attempt_at AS delivered_now,
    CASE WHEN d.last_status_code = 503 THEN '1 h' WHEN d.delivered_at IS NULL THEN '5 s' END AS after,
    d.next_attempt_at - d.last_attempt_at BETWEEN
        CASE d.last_status_code WHEN 503 THEN interval '3600 s' ELSE '4 s' END
        AND CASE d.last_status_code WHEN 503 THEN interval '3601 s' ELSE '6 s' END AS as_said
FROM recorded d JOIN claimed c ON (c.request).event_id = d.event_id
    AND (c.request).webhook_endpoint_id = d.webhook_endpoint_id ORDER BY c.n;
\c - shop_records
SELECT e.n, a.attempt, a.status_code, a.error, a.duration, a.response_body
FROM (SELECT event_id, row_number() OVER (ORDER BY checkout_session_id, sequence) AS n
    FROM checkout.list_webhook_events(page_size => 100)) AS e, checkout.list_webhook_attempts(e.event_id, :'one') AS a
ORDER BY e.n;
-- The next event of the paid session is due when the one before it is delivered. An endpoint with a success among
-- failures does not fail.
SELECT description, failing_since IS NOT NULL AS failing FROM checkout.list_webhook_endpoints();
\c - sender
SELECT url, event_type FROM checkout.claim_webhook_deliveries() WHERE event_type LIKE '%completed' ORDER BY url;

-- Left out: what is not leased under its token, what is gone, what is a consumer's, and what is reported twice.
SELECT testing.deliveries_due(:'organization');
CREATE TEMP TABLE claimed AS
SELECT c AS request, row_number() OVER (ORDER BY body::jsonb #>> '{data,object,amount}', url) AS n
FROM checkout.claim_webhook_deliveries() AS c WHERE organization_id = :'organization';
SELECT count(*) > 3 AS several FROM claimed;
SELECT last_status_code, count(*)
FROM checkout.record_webhook_attempts((SELECT jsonb_agg(report) FROM (
    SELECT testing.report_of(request, '{"status_code": 201}') AS report FROM claimed WHERE n = 1
    UNION ALL SELECT testing.report_of(request, '{"status_code": 400}') FROM claimed WHERE n = 1
    UNION ALL SELECT testing.report_of(request, '{"status_code": 202}') || jsonb_build_object('lease_token',
        gen_random_uuid()) FROM claimed WHERE n = 2
    UNION ALL SELECT testing.report_of(request, '{"status_code": 203}') || jsonb_build_object('webhook_endpoint_id',
        :'of_another') FROM claimed WHERE n = 3
    UNION ALL SELECT testing.report_of(request, '{"status_code": 204}') || jsonb_build_object('webhook_endpoint_id',
        gen_random_uuid()) FROM claimed WHERE n = 3
    UNION ALL SELECT testing.report_of(request, '{"status_code": 205}') || jsonb_build_object('event_id',
        'evt_' || repeat('A', 48) || 'bAAAAAAAAAAA') FROM claimed WHERE n = 3
    UNION ALL SELECT jsonb_build_object('event_id', :'claimed_event', 'lease_token', :'claimed_token', 'status_code',
        206, 'webhook_endpoint_id', (SELECT (request).webhook_endpoint_id FROM claimed WHERE n = 1))) AS r))
GROUP BY 1;
-- The same again: nothing is leased any more.
SELECT count(*) AS twice FROM checkout.record_webhook_attempts(
    (SELECT jsonb_agg(testing.report_of(request, '{"status_code": 201}')) FROM claimed WHERE n = 1));
SELECT count(*) AS none FROM checkout.record_webhook_attempts('[]');
\c - postgres
SELECT count(*) AS consumers_deliveries_recorded FROM checkout_data.webhook_deliveries d
JOIN checkout_data.webhook_consumers c ON c.webhook_consumer_id = d.receiver_id WHERE d.last_status_code IS NOT NULL;
-- Longest texts; the longest time that can be stored
\c - sender
SELECT testing.deliveries_due(:'organization');
SELECT jsonb_agg(testing.report_of(c, '{"status_code": 500}')) AS reports
FROM (SELECT c FROM checkout.claim_webhook_deliveries() AS c WHERE webhook_endpoint_id = :'two' LIMIT 1) AS r \gset
SELECT length(last_error) AS error, event_id AS event, webhook_endpoint_id AS endpoint
FROM checkout.record_webhook_attempts(jsonb_set(jsonb_set(jsonb_set(jsonb_set(:'reports',
    '{0,error}', to_jsonb(repeat('é', 1500))), '{0,response_body}', to_jsonb(repeat('☕', 1500))),
    '{0,duration}', '1e13'), '{0,retry_after}', '1e13')) \gset
\echo :error
\c - shop_records
SELECT length(error) AS error, length(response_body) AS response_body,
    extract(epoch FROM duration) > 8e12 AS long
FROM checkout.list_webhook_attempts(:'event', :'endpoint') ORDER BY attempt DESC LIMIT 1;

-- These are refused, and then nothing is recorded.
\c - sender
SELECT testing.deliveries_due(:'organization');
SELECT testing.report_of(c, '{"status_code": 200}') AS report FROM checkout.claim_webhook_deliveries() AS c
WHERE webhook_endpoint_id = :'one' LIMIT 1 \gset
\a
SELECT change, regexp_replace(testing.outcome(format('SELECT checkout.record_webhook_attempts(%L)', attempts)),
    'column \d+', 'column <n>') AS outcome
FROM unnest(ARRAY[
    '{"status_code": 99}', '{"status_code": 600}', '{"status_code": 2147483648}', '{"status_code": 200.5}',
    '{"status_code": "200"}', '{"duration": -1}', '{"duration": 1e300}', '{"duration": 1e400}',
    '{"duration": "NaN"}', '{"duration": "1 s"}',
    '{"duration": -1e400}', '{"retry_after": -0.001}', '{"retry_after": 1e309}', '{"error": 1}',
    '{"response_body": ["x"]}', '{"event_id": "evt_1"}', '{"event_id": null}', '{"webhook_endpoint_id": "x"}',
    '{"webhook_endpoint_id": null}', '{"lease_token": "x"}', '{"lease_token": null}', '{"unknown": 1}',
    '{"consumer": "jobs"}']) AS change,
    LATERAL (SELECT jsonb_build_array(:'report'::jsonb, :'report'::jsonb || change::jsonb)) AS a (attempts);
SELECT attempts, testing.outcome(format('SELECT checkout.record_webhook_attempts(%L)', attempts)) AS outcome
FROM unnest(ARRAY[NULL, '{}', '"x"', 'null', '1', '[1]', '[null]', '[[]]', '[{}]', '[{"event_id": "evt_1"}]', '[', ''])
    AS attempts;
SELECT testing.outcome(format('SELECT checkout.record_webhook_attempts(%L)',
    (SELECT jsonb_agg(:'report'::jsonb) FROM generate_series(1, 1001)))) AS of_1001;
SELECT testing.outcome(format('SELECT checkout.record_webhook_attempts(%L)',
    jsonb_build_array(:'report'::jsonb || jsonb_build_object('error', repeat('x', 17000000))))) AS of_17_million;
SELECT count(*) AS of_1000 FROM checkout.record_webhook_attempts(
    (SELECT jsonb_agg(:'report'::jsonb || jsonb_build_object('lease_token', gen_random_uuid()))
    FROM generate_series(1, 1000)));
\a
SELECT status FROM checkout.record_webhook_attempts(jsonb_build_array(:'report'::jsonb));
-- A 410 among successes disables the endpoint; the other one goes on.
\c - shop_records
SELECT count(checkout.expire_checkout_session(testing.new_session(n))) FROM generate_series(30, 32) AS n;
\c - postgres
UPDATE checkout_data.webhook_endpoints SET failing_since = NULL WHERE organization_id = :'organization';
\c - sender
SELECT testing.deliveries_due(:'organization');
SELECT status, count(*) FROM checkout.record_webhook_attempts((
    SELECT jsonb_agg(testing.report_of(c, jsonb_build_object('status_code',
        CASE WHEN webhook_endpoint_id = :'one' AND body::jsonb #>> '{data,object,amount}' = '31.00' THEN 410
        ELSE 200 END)))
    FROM checkout.claim_webhook_deliveries(per_endpoint => 1000) AS c WHERE organization_id = :'organization'))
GROUP BY 1 ORDER BY 1;
\c - shop_records
SELECT description, enabled, disabled_reason FROM checkout.list_webhook_endpoints();
SELECT count(*) FROM checkout.list_webhook_events(event_type => 'webhook_endpoint.disabled');
-- Only a relay may.
SELECT testing.outcome('SELECT checkout.record_webhook_attempts(''[]'')') AS by_the_shop;
\c - postgres
CALL testing.forget_receivers();
