SELECT jsonb_agg(jsonb_build_object('event_id', event_id, 'webhook_endpoint_id', webhook_endpoint_id,
        'lease_token', lease_token, 'status_code', 204, 'duration', 0.01)) AS attempts,
    sum(length(body)) AS bytes
FROM checkout.claim_webhook_deliveries(100, per_endpoint => 100) \gset
SELECT count(status) FROM checkout.record_webhook_attempts(:attempts);
