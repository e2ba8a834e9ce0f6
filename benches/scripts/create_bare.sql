-- The same rows. The client gives its values, except for the id, because pgbench cannot make a UUIDv7. SQL makes it,
-- because ours is one, and because random ids would give the key's index more work.
\set n random(1, 1000000)
WITH session AS (INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, amount, currency_code,
    created_at, updated_at, expires_at, max_retry_attempts, created_by, title, customer_email, success_url, cancel_url,
    payment_methods, metadata)
VALUES (:tenant, 'live', encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM now()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid,
    :amount, :currency_code, now(), now(), now() + '48 hours', 3, 'bench_app', :title,
    'customer' || :n || '@example.com', :success_url, :cancel_url, '{bank_transfer,payid}', :metadata)
RETURNING *), open AS (INSERT INTO checkout_data.open_sessions (organization_id, environment, checkout_session_id, deadline)
SELECT organization_id, environment, checkout_session_id, expires_at FROM session)
SELECT * FROM session;
