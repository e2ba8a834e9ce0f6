-- Events as the documents of the dialects know them. Those of lomi and PayGate know two: completed and expired. A
-- session that has failed is expired there, and so is its event.
SELECT checkout.create_organization('Formats') AS organization \gset
SELECT testing.login('shop_formats', :'organization');
SELECT name FROM checkout.create_webhook_consumer('audit', '{checkout.session.expired}');
CREATE VIEW testing.sent AS
SELECT substring(url, '[^/]+$') AS endpoint, string_agg(CASE
        WHEN theirs = ours THEN ours ELSE ours || ' as ' || theirs END, ', ' ORDER BY ours) AS sent,
    string_agg(DISTINCT body::jsonb #>> '{data,object,status}', ' ') AS statuses
FROM checkout.claim_webhook_deliveries(per_endpoint => 100), LATERAL (SELECT
    replace(event_type, 'checkout.session.', '') AS ours,
    replace(body::jsonb ->> 'type', 'checkout.session.', '') AS theirs) AS types
GROUP BY url ORDER BY url;
COMMENT ON VIEW testing.sent IS
    'Claims what is due to endpoints: our name of each event and, if it differs, that in its body.';

-- Endpoints ask for the events that the documents name, and some for others.
\c - shop_formats
SELECT count(checkout.create_webhook_endpoint('https://shop.example/' || format,
    '{checkout.session.completed,checkout.session.expired}', format))
FROM unnest('{canonical,kobo,lomi,paygate,flutterwave,yuno}'::text[]) AS format;
SELECT count(checkout.create_webhook_endpoint('https://shop.example/' || format || '_' || name, event_types, format))
FROM unnest('{canonical,lomi}'::text[]) AS format, (VALUES
    ('all', '{*}'::text[]), ('by_our_name', '{checkout.session.failed}'),
    ('by_both', '{checkout.session.failed,checkout.session.expired}'),
    ('completed', '{checkout.session.completed}')) AS given (name, event_types);
SELECT name FROM checkout.create_webhook_consumer('own', '{checkout.session.expired}');

-- One session fails with its second payment, and is paid too late; one expires, one is paid. Each has one end.
SELECT testing.new_session(1, 1) AS failed, testing.new_session(2) AS expired, testing.new_session(3) AS paid \gset
SELECT status FROM checkout.record_payment(:'failed', 'formats-1', 'failed');
SELECT status FROM checkout.record_payment(:'failed', 'formats-2', 'failed');
SELECT status FROM checkout.record_payment(:'failed', 'formats-3', 'succeeded');
SELECT status FROM checkout.expire_checkout_session(:'expired');
SELECT status FROM checkout.record_payment(:'paid', 'formats-4', 'succeeded');
SELECT testing.story(:'failed') AS failed, testing.story(:'expired') AS expired, testing.story(:'paid') AS paid;
SELECT event_id AS failed_event
FROM checkout.list_webhook_events(:'failed', 'checkout.session.failed') \gset
-- Lists have our names, whatever the format.
SELECT event_type, sequence FROM checkout.list_webhook_events(:'failed', 'checkout.session.expired');
SELECT substring(url, '[^/]+$') AS endpoint, d.event_type, d.status
FROM checkout.list_webhook_endpoints() AS p, checkout.list_webhook_deliveries(p.webhook_endpoint_id) AS d
WHERE d.event_id = :'failed_event' ORDER BY url;

-- The bodies: of the first event of each session, and then of the others, which wait for the one before.
\c - postgres
SELECT * FROM testing.sent;
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = NULL, delivered_at = now(), lease_token = NULL
WHERE organization_id = :'organization' AND sequence = 1;
SELECT * FROM testing.sent;
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = NULL, delivered_at = now(), lease_token = NULL
WHERE organization_id = :'organization' AND sequence = 2;
SELECT * FROM testing.sent;
-- Consumers have the canonical bodies, and our names.
SELECT consumer, about, event_type FROM testing.consumed WHERE organization_id = :'organization';
-- The same in render_webhook_event
SELECT api, body ->> 'type' AS type, body #>> '{data,object,status}' AS status
FROM unnest('{kobo,lomi,paygate,flutterwave,yuno}'::text[]) AS api,
    LATERAL (SELECT checkout.render_webhook_event(:'failed_event', api)::jsonb AS body) AS b;

-- Redelivery chooses events as fan-out does: those that an endpoint was never sent, too.
\c - shop_formats
SELECT webhook_endpoint_id AS later FROM checkout.create_webhook_endpoint(
    'https://shop.example/later', '{checkout.session.expired}', 'paygate') \gset
SELECT webhook_endpoint_id AS canonical FROM checkout.create_webhook_endpoint(
    'https://shop.example/later_canonical', '{checkout.session.expired}') \gset
\c - postgres
SELECT checkout.redeliver_webhook_events(webhook_endpoint_id => :'later') AS as_paygate,
    checkout.redeliver_webhook_events(webhook_endpoint_id => :'canonical') AS as_canonical;
SELECT * FROM testing.sent;

-- An endpoint that takes on such a format gets the events from then on.
\c - shop_formats
SELECT body_format FROM checkout.update_webhook_endpoint(:'canonical', body_format => 'lomi');
SELECT status FROM checkout.record_payment(testing.new_session(4, 0), 'formats-5', 'failed');
\c - postgres
SELECT * FROM testing.sent WHERE endpoint ~ '^later';
-- A format that is unknown here, of a later version: fan-out goes by our names.
SELECT checkout_data.event_type_matches('{checkout.session.expired}', 'xml', 'checkout.session.failed') AS failed,
    checkout_data.event_type_matches('{checkout.session.expired}', 'xml', 'checkout.session.expired') AS expired;
DROP VIEW testing.sent;
CALL testing.forget_receivers();
