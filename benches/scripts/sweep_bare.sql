UPDATE bench.one_table
SET status = 'expired', payment_status = 'unpaid', updated_at = deadline, event_count = event_count + 1
WHERE status = 'open' AND deadline <= now();
