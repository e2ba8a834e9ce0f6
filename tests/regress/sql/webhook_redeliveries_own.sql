-- Redelivery by a merchant: of its own events, to its own endpoints and consumers, and of nobody else's.
SELECT checkout.create_organization('Own redeliveries') AS organization,
    checkout.create_organization('Own redeliveries of another') AS other \gset
SELECT testing.key(:'organization') AS key, testing.key(:'organization', 'publishable') AS publishable,
    testing.key(:'organization', 'secret', 'test') AS test_key, testing.key(:'other') AS other_key \gset
SELECT webhook_consumer_id AS audit FROM checkout.create_webhook_consumer('audit') \gset

-- The organization in both environments, and another one: each has an endpoint, a consumer and a paid session. The
-- organization has an endpoint that asks for less and one that it has deleted, too, and an expired session.
CREATE PROCEDURE testing.furnish(key text, INOUT endpoint uuid, INOUT jobs uuid, INOUT event text)
LANGUAGE plpgsql AS $$
DECLARE
    session uuid;
BEGIN
    PERFORM checkout.authenticate(key);
    endpoint := webhook_endpoint_id FROM checkout.create_webhook_endpoint('https://shop.example/all');
    jobs := webhook_consumer_id FROM checkout.create_webhook_consumer('jobs');
    session := testing.new_session(1);
    PERFORM checkout.record_payment(session, 'own-1', 'succeeded');
    event := event_id FROM checkout.list_webhook_events(session);
    COMMIT;
END $$;
CALL testing.furnish(:'key', NULL, NULL, NULL) \gset own_
CALL testing.furnish(:'test_key', NULL, NULL, NULL) \gset test_
CALL testing.furnish(:'other_key', NULL, NULL, NULL) \gset other_
BEGIN;
SELECT kind FROM checkout.authenticate(:'key');
SELECT webhook_endpoint_id AS failures
FROM checkout.create_webhook_endpoint('https://shop.example/failures', '{checkout.session.failed}') \gset
SELECT webhook_endpoint_id AS gone FROM checkout.create_webhook_endpoint('https://shop.example/gone') \gset
SELECT status FROM checkout.expire_checkout_session(testing.new_session(2));
SELECT event_id AS expired FROM checkout.list_webhook_events(event_type => 'checkout.session.expired') \gset
SELECT enabled FROM checkout.delete_webhook_endpoint(:'gone', true);
COMMIT;

-- All of them have been delivered. Each call is made with a key. Its answer, and what is then due; that is rolled back.
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = NULL, delivered_at = '2020-01-01'
WHERE organization_id IN (:'organization', :'other');
CREATE VIEW testing.due AS
SELECT string_agg(concat_ws(' ', replace(o.name, 'Own redeliveries', 'own'), d.environment,
    COALESCE(substring(p.url, '[^/]+$'), c.name), replace(e.event_type, 'checkout.session.', '')), ', '
    ORDER BY o.name, d.environment, p.url, c.name, e.event_type) AS due
FROM checkout_data.webhook_deliveries d
JOIN checkout_data.organizations o USING (organization_id)
JOIN checkout_data.webhook_outbox e USING (organization_id, environment, subject_id, sequence)
LEFT JOIN checkout_data.webhook_endpoints p ON p.webhook_endpoint_id = d.receiver_id
LEFT JOIN checkout_data.webhook_consumers c ON c.webhook_consumer_id = d.receiver_id
WHERE d.next_attempt_at IS NOT NULL AND o.name ~ '^Own redeliveries';
CREATE FUNCTION testing.redeliver(key text, arguments text) RETURNS TABLE (answer text, due text) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL ROLE visitor;
    IF key <> '' THEN
        PERFORM checkout.authenticate(key);
    END IF;
    EXECUTE format('SELECT checkout.redeliver_webhook_events(%s)', arguments) INTO answer;
    RESET ROLE;
    due := d.due FROM testing.due AS d;
    RAISE query_canceled;
EXCEPTION
    WHEN query_canceled THEN RETURN NEXT;
    WHEN OTHERS THEN
        answer := SQLSTATE || ' ' || testing.masked(SQLERRM);
        due := d.due FROM testing.due AS d;
        RETURN NEXT;
END $$;

\a
-- One event, all events, those of a time or a state; to all receivers, or to one of them, also if it never was sent
-- them. The consumer of all organizations is not the merchant's: it gets nothing twice, and is not counted.
SELECT what, r.* FROM (VALUES
    ('one event', format('ARRAY[%L]', :'own_event')),
    ('two events, one of them twice', format('ARRAY[%L, %L, %L]', :'own_event', :'expired', :'own_event')),
    ('all', 'created_after => ''2000-01-01'''),
    ('none is later', 'created_after => ''2200-01-01'''),
    ('none is dead', 'created_after => ''2000-01-01'', status => ''dead'''),
    ('all that were delivered', 'created_after => ''2000-01-01'', status => ''delivered'''),
    ('to an endpoint', format('webhook_endpoint_id => %L', :'own_endpoint')),
    ('to an endpoint, what it was sent', format('webhook_endpoint_id => %L, status => ''delivered''', :'own_endpoint')),
    ('one to an endpoint', format('ARRAY[%L], %L', :'own_event', :'own_endpoint')),
    ('to an endpoint that asks for neither', format('ARRAY[%L], %L', :'own_event', :'failures')),
    ('to a consumer', format('webhook_consumer_id => %L', :'own_jobs'))
) AS calls (what, arguments), testing.redeliver(:'key', arguments) AS r;
-- In its test environment
SELECT * FROM testing.redeliver(:'test_key', 'created_after => ''2000-01-01''');

-- What is not the merchant's is as unknown as what never was: of another organization, of its other environment, of the
-- operator. Nothing is due then, not even what is its own.
SELECT what, r.* FROM (VALUES
    ('event of another', format('ARRAY[%L]', :'other_event')),
    ('event of another, with its endpoint', format('ARRAY[%L], %L', :'other_event', :'other_endpoint')),
    ('event of another, to an own endpoint', format('ARRAY[%L], %L', :'other_event', :'own_endpoint')),
    ('event of another, after an own', format('ARRAY[%L, %L]', :'own_event', :'other_event')),
    ('event of the test environment', format('ARRAY[%L]', :'test_event')),
    ('event that never was',
        format('ARRAY[%L]', checkout_data.event_id(:'organization', 'live', :'own_endpoint', 1, now()))),
    ('endpoint of another', format('webhook_endpoint_id => %L', :'other_endpoint')),
    ('endpoint of another, for an own event', format('ARRAY[%L], %L', :'own_event', :'other_endpoint')),
    ('endpoint of another, a state', format('webhook_endpoint_id => %L, status => ''delivered''', :'other_endpoint')),
    ('endpoint of the test environment', format('webhook_endpoint_id => %L', :'test_endpoint')),
    ('endpoint that is gone', format('webhook_endpoint_id => %L', :'gone')),
    ('consumer of another', format('webhook_consumer_id => %L', :'other_jobs')),
    ('consumer of another, for an own event',
        format('ARRAY[%L], webhook_consumer_id => %L', :'own_event', :'other_jobs')),
    ('consumer of the test environment', format('webhook_consumer_id => %L', :'test_jobs')),
    ('consumer of all organizations', format('webhook_consumer_id => %L', :'audit')),
    ('consumer of all organizations, for an own event',
        format('ARRAY[%L], webhook_consumer_id => %L', :'own_event', :'audit')),
    ('consumer as an endpoint', format('webhook_endpoint_id => %L', :'own_jobs')),
    ('endpoint as a consumer', format('webhook_consumer_id => %L', :'own_endpoint')),
    ('endpoint that never was', 'webhook_endpoint_id => ''7b1c5f0e-4c1d-4a6c-9d0e-2f6a3b9c8d10'''),
    ('nothing', ''), ('no events', '''{}''')
) AS calls (what, arguments), testing.redeliver(:'key', arguments) AS r;
-- Nobody else may: not with a publishable key, and not without a key.
SELECT who, r.* FROM (VALUES ('publishable', :'publishable'), ('no key', '')) AS callers (who, key),
    testing.redeliver(key, format('ARRAY[%L]', :'own_event')) AS r;
-- A relay that has a tenant in its settings is not above tenants, as in claim_webhook_events. One without is.
BEGIN;
SET LOCAL checkout_sessions.organization_id = :'organization';
SET LOCAL ROLE sender;
SELECT testing.outcome('SELECT checkout.redeliver_webhook_events(created_after => ''2000-01-01'')') AS relay_of_one;
ROLLBACK;
BEGIN;
SET LOCAL ROLE sender;
SELECT checkout.redeliver_webhook_events(ARRAY[:'own_event', :'other_event']) AS relay_of_all;
RESET ROLE;
SELECT due FROM testing.due;
ROLLBACK;
-- A superuser with a tenant acts for the tenant.
BEGIN;
SET LOCAL checkout_sessions.organization_id = :'other';
SELECT checkout.redeliver_webhook_events(created_after => '2000-01-01') AS as_the_other;
SELECT due FROM testing.due;
ROLLBACK;
\a
DROP FUNCTION testing.redeliver;
DROP VIEW testing.due;
DROP PROCEDURE testing.furnish;
CALL testing.forget_receivers();
