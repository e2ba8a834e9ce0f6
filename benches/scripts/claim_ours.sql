SELECT array_agg(event_id) AS ids, min(lease_token::text) AS token, sum(length(body::text)) AS bytes
FROM checkout.claim_webhook_events('bench', 100) \gset
SELECT checkout.ack_webhook_events('bench', :ids, :token);
