SELECT array_agg(event_id) AS ids, array_agg(webhook_endpoint_id) AS endpoints, min(lease_token::text) AS token,
    sum(length(body)) AS bytes
FROM checkout.claim_webhook_deliveries(100, per_endpoint => 100) \gset
SELECT count(a.status) FROM unnest(:ids::text[], :endpoints::uuid[]) AS d (event_id, webhook_endpoint_id),
    LATERAL checkout.record_webhook_attempt(d.event_id, d.webhook_endpoint_id, :token, 204, duration => '10 ms') AS a;
