-- Signing a webhook and verifying one, in SQL.
\set secret whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD
\set body '{"email":"test@example.com","username":"test_user"}'

-- The vector of the reference libraries
SELECT checkout.sign_webhook('msg_27UH4WbU6Z5A5EzD8u03UvzRbpk', to_timestamp(1649367553), :'body', :'secret')
    = 'v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=' AS as_published;

-- The receiver of a webhook passes its headers as they came, and its body.
CREATE TABLE testing.webhook AS
SELECT 'msg_1' AS id, extract(epoch FROM date_trunc('second', now()))::bigint::text AS seconds,
    checkout.sign_webhook('msg_1', now(), :'body', :'secret') AS standard,
    checkout.sign_webhook('msg_1', now(), :'body', :'secret', 'stripe') AS stripe;
SELECT what, checkout.verify_webhook(headers, :'body', :'secret', scheme) AS verified
FROM testing.webhook, LATERAL (VALUES
    ('standard', jsonb_build_object('webhook-id', id, 'webhook-timestamp', seconds, 'webhook-signature', standard),
        'standard'),
    ('names in any case', jsonb_build_object(
        'Webhook-Id', id, 'WEBHOOK-TIMESTAMP', seconds, 'Webhook-Signature', standard),
        'standard'),
    ('signed with two secrets', jsonb_build_object('webhook-id', id, 'webhook-timestamp', seconds, 'webhook-signature',
        checkout.sign_webhook('msg_1', now(), :'body', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') || ' ' || standard),
            'standard'),
    ('stripe', jsonb_build_object('stripe-signature', stripe), 'stripe'),
    ('another id', jsonb_build_object(
        'webhook-id', 'msg_2', 'webhook-timestamp', seconds, 'webhook-signature', standard),
        'standard'),
    ('another time', jsonb_build_object('webhook-id', id, 'webhook-timestamp', (seconds::bigint - 1)::text,
        'webhook-signature', standard), 'standard'),
    ('of the other scheme', jsonb_build_object(
        'webhook-id', id, 'webhook-timestamp', seconds, 'webhook-signature', stripe),
        'standard'),
    ('no signature', jsonb_build_object('webhook-id', id, 'webhook-timestamp', seconds), 'standard'),
    ('no headers', '{}', 'standard'), ('no headers, stripe', '{}', 'stripe'),
    ('headers that are no texts', '{"webhook-id": 1, "webhook-timestamp": [], "webhook-signature": {}}', 'standard'),
    ('nonsense', '{"stripe-signature": "t=,v1=,=,v1=zz,t=1e9"}', 'stripe')
) AS headers (what, headers, scheme);
SELECT age, scheme, checkout.verify_webhook(
    jsonb_build_object('webhook-id', 'm', 'webhook-timestamp',
        extract(epoch FROM date_trunc('second', now() - age))::bigint::text,
        'webhook-signature', checkout.sign_webhook('m', now() - age, '', :'secret'),
        'stripe-signature', checkout.sign_webhook('m', now() - age, '', :'secret', 'stripe')), '', :'secret', scheme)
            AS verified
FROM unnest('{4 minutes,-4 minutes,6 minutes,-6 minutes}'::interval[]) AS age,
    unnest('{standard,stripe}'::text[]) AS scheme;
-- A receiver that allows more, or less: for both directions of time, to the second.
SELECT tolerance, scheme, string_agg(age::text || CASE WHEN checkout.verify_webhook(
    jsonb_build_object('webhook-id', 'm', 'webhook-timestamp',
        extract(epoch FROM date_trunc('second', now() - age))::bigint::text,
        'webhook-signature', checkout.sign_webhook('m', now() - age, '', :'secret'),
        'stripe-signature', checkout.sign_webhook('m', now() - age, '', :'secret', 'stripe')), '', :'secret', scheme,
    tolerance) THEN ' yes' ELSE ' no' END, ', ' ORDER BY age) AS verified
FROM unnest('{10 seconds,1 minute,1 hour,1 day}'::interval[]) AS tolerance,
    unnest('{standard,stripe}'::text[]) AS scheme,
    unnest('{0,20 seconds,-20 seconds,50 minutes,-50 minutes,23 hours,-23 hours,25 hours,-25 hours}'::interval[]) AS age
GROUP BY tolerance, scheme ORDER BY tolerance, scheme;
-- A wrong signature stays wrong, and no time is too far away to be compared.
SELECT checkout.verify_webhook(
    jsonb_build_object('webhook-id', id, 'webhook-timestamp', seconds, 'webhook-signature', standard),
    :'body' || ' ', :'secret', tolerance => '1 day') AS of_another_body,
    checkout.verify_webhook(jsonb_build_object('stripe-signature', 't=-9223372036854775808,v1=00'), '', :'secret',
        'stripe', '1 day') AS before_all_time,
    checkout.verify_webhook(jsonb_build_object('webhook-id', id, 'webhook-timestamp', '-9223372036854775808',
        'webhook-signature', standard), '', :'secret', tolerance => '1 day') AS in_both_schemes
FROM testing.webhook;

-- Each fault of an argument; the error does not repeat the secret.
SELECT call, testing.outcome('SELECT checkout.' || call) AS outcome
FROM unnest(ARRAY[
    $$sign_webhook(NULL, now(), '', 's')$$, $$sign_webhook('m', NULL, '', 's')$$,
    $$sign_webhook('m', now(), NULL, 's')$$,
    $$sign_webhook('m', now(), '', NULL)$$, $$sign_webhook('m', now(), '', 's', NULL)$$,
    $$sign_webhook('m', 'infinity', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD')$$,
    $$sign_webhook('m', now(), '', 'C2FVsBQIhrscChlQIMV+b5sSYspob7oD')$$,
    $$sign_webhook('m', now(), '', 'whsec_c2hvcnQ=')$$,
    $$sign_webhook('', now(), '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD')$$,
    $$sign_webhook('m.1', now(), '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD')$$,
    $$sign_webhook('m', now(), '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', 'github')$$,
    $$verify_webhook(NULL, '', 's')$$, $$verify_webhook('[]', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD')$$,
    $$verify_webhook('{}', NULL, 's')$$, $$verify_webhook('{}', '', NULL)$$, $$verify_webhook('{}', '', 's')$$,
    $$verify_webhook('{}', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', tolerance => NULL)$$,
    $$verify_webhook('{}', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', tolerance => '0')$$,
    $$verify_webhook('{}', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', tolerance => '-5 minutes')$$,
    $$verify_webhook('{}', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', tolerance => '0.9 seconds')$$,
    $$verify_webhook('{}', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', tolerance => '1 day 1 second')$$,
    $$verify_webhook('{}', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', tolerance => '170000000 years')$$,
    $$verify_webhook('{}', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', tolerance => '1 second')$$])
        AS call;
DROP TABLE testing.webhook;
