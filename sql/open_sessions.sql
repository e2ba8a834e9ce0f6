-- Open sessions: what changes while a session is open, in a narrow row of its own, so that the many sessions that expire
-- cost little.

-- A row exists exactly as long as the session has not ended. Whoever deletes it writes the event that says how the
-- session ended: so each session ends once. When the deadline has passed, that is all that is written: the row in
-- checkout_sessions stays as it is, because the clock says the rest.
-- Lock order: first the session's row in checkout_sessions, then the row here. Who holds only rows of this table must
-- not wait for any other.
-- Everything is deleted soon, so the table is vacuumed often. Its end is not cut off: that needs a lock that excludes
-- readers, the room is used again, and plans that were made while the table is nearly empty know its usual size.
CREATE TABLE checkout_data.open_sessions (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    checkout_session_id uuid NOT NULL,
    deadline timestamptz NOT NULL,
    expiring_notice_at timestamptz,
    event_count checkout_data.count NOT NULL DEFAULT 0,
    fails_at_deadline boolean NOT NULL DEFAULT false,
    has_terms boolean NOT NULL DEFAULT false,
    reference text COLLATE "C",
    created_by text COLLATE "C",
    renews uuid
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_insert_threshold = -1, vacuum_truncate = false);
COMMENT ON TABLE checkout_data.open_sessions IS
    'One row per session that has not ended. One whose deadline has passed is expired, or failed, for all readers; its '
    'row is there until the event of that is written.';
COMMENT ON COLUMN checkout_data.open_sessions.deadline IS
    'When the session ends by the clock: see checkout_data.deadline().';
COMMENT ON COLUMN checkout_data.open_sessions.expiring_notice_at IS
    'When checkout.session.expiring is due. NULL: never, or already written.';
COMMENT ON COLUMN checkout_data.open_sessions.event_count IS
    'The same as in checkout_sessions: the event of the end gets the next number.';
COMMENT ON COLUMN checkout_data.open_sessions.fails_at_deadline IS
    'True if the session is failed then, and not expired: it has no retries left, and a payment holds it.';
COMMENT ON COLUMN checkout_data.open_sessions.has_terms IS
    'True if the session may have holds, which end with it.';
COMMENT ON COLUMN checkout_data.open_sessions.reference IS
    'The reference of the session if only one open session may have it: see reference_policy. NULL otherwise.';
COMMENT ON COLUMN checkout_data.open_sessions.created_by IS
    'The publishable credential that created the session; NULL if another did.';
COMMENT ON COLUMN checkout_data.open_sessions.renews IS
    'The subscription that the session renews. NULL: none.';

-- Serves the worker: sessions that are due, in order.
CREATE INDEX open_sessions_deadline_idx ON checkout_data.open_sessions (deadline);
-- Serves the worker: reminders that are due. Empty unless an organization asks for them.
CREATE INDEX open_sessions_expiring_notice_idx ON checkout_data.open_sessions (expiring_notice_at)
    WHERE expiring_notice_at IS NOT NULL;
-- Enforces the reference policies for open sessions.
CREATE UNIQUE INDEX open_sessions_reference_idx
    ON checkout_data.open_sessions (organization_id, environment, reference) WHERE reference IS NOT NULL;
-- Enforces that one open session renews a subscription.
CREATE UNIQUE INDEX open_sessions_renews_idx
    ON checkout_data.open_sessions (organization_id, environment, renews) WHERE renews IS NOT NULL;
-- Serves the limit of open sessions of a publishable API key.
CREATE INDEX open_sessions_created_by_idx
    ON checkout_data.open_sessions (organization_id, environment, created_by) WHERE created_by IS NOT NULL;
ALTER TABLE checkout_data.open_sessions ADD CONSTRAINT open_sessions_pkey
    PRIMARY KEY (organization_id, environment, checkout_session_id);
