-- Idempotency keys of create_checkout_session.

-- No foreign key to the session: a key is taken before its session is stored, so the constraint would have to be
-- deferred, and a caller can end that with SET CONSTRAINTS ALL IMMEDIATE. One call of create_checkout_session writes
-- both. If an administrator deletes the session, its key is free.
CREATE TABLE checkout_data.idempotency_keys (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    created_with checkout_data.creator_kind NOT NULL,
    idempotency_key checkout_data.identifier NOT NULL,
    request_hash checkout_data.sha256 NOT NULL,
    checkout_session_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE checkout_data.idempotency_keys IS
    'The idempotency keys of create_checkout_session, each committed with its session. The worker removes expired '
    'ones.';
COMMENT ON COLUMN checkout_data.idempotency_keys.created_with IS
    'Browsers and servers have separate keys, so that a browser cannot occupy a key that a server will use.';
COMMENT ON COLUMN checkout_data.idempotency_keys.request_hash IS 'SHA-256 of the request in a canonical form.';
CREATE INDEX idempotency_keys_expires_at_idx ON checkout_data.idempotency_keys (expires_at);
ALTER TABLE checkout_data.idempotency_keys ADD CONSTRAINT idempotency_keys_pkey
    PRIMARY KEY (organization_id, environment, created_with, idempotency_key);
