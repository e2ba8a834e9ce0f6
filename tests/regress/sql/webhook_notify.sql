-- Whoever listens is told that there are deliveries: once by each transaction that has made some due, when it commits.
SELECT checkout.create_organization('Notify') AS organization, checkout.create_organization('Notify of one without endpoints') AS without \gset
SELECT testing.login('shop_notify', :'organization'), testing.login('shop_notify_without', :'without');
CREATE FUNCTION testing.expired(amount numeric) RETURNS text LANGUAGE sql AS $$ SELECT status FROM checkout.expire_checkout_session(testing.new_session(amount)) $$;
SELECT bindir.setting AS bindir FROM pg_config AS bindir WHERE name = 'BINDIR' \gset
\setenv BINDIR :bindir
\setenv MASK 's/ received from server process with PID.*/ received/'
\setenv LISTEN 'LISTEN checkout_sessions_webhooks'
SET checkout_sessions.organization_id = :'organization';
SELECT webhook_endpoint_id AS endpoint FROM checkout.create_webhook_endpoint('https://shop.example/hooks', '{checkout.*}') \gset
\setenv ENDPOINT :endpoint
RESET checkout_sessions.organization_id;
-- Two events in a transaction, one notification; then another
\! "$BINDIR/psql" -XAtqU shop_notify -d regression -c "$LISTEN" -c "BEGIN" -c "SELECT testing.expired(1), testing.expired(2)" -c "SELECT 'before the commit'" -c COMMIT -c "SELECT testing.expired(3)" | sed "$MASK"
-- Nobody is told of events for the consumer of the outbox, or that no endpoint has asked for.
\! "$BINDIR/psql" -XAtqU shop_notify_without -d regression -c "$LISTEN" -c "SELECT testing.expired(4)" | sed "$MASK"
\! "$BINDIR/psql" -XAtqU shop_notify -d regression -c "BEGIN" -c "$LISTEN" -c "SELECT (checkout.update_webhook_endpoint('$ENDPOINT', event_types => '{checkout.session.failed}')).event_types" -c COMMIT -c "SELECT testing.expired(5)" -c "SELECT (checkout.update_webhook_endpoint('$ENDPOINT', event_types => '{checkout.*}')).event_types" | sed "$MASK"
-- A payment
\! "$BINDIR/psql" -XAtqU shop_notify -d regression -c "$LISTEN" -c "SELECT status FROM checkout.record_payment(testing.new_session(5), 'notify-1', 'succeeded')" | sed "$MASK"
-- Nothing to tell: no event, or a transaction that is rolled back
\! "$BINDIR/psql" -XAtqU shop_notify -d regression -c "$LISTEN" -c "SELECT amount FROM checkout.create_checkout_session(6, 'USD', customer_id => 'c')" -c "SELECT status FROM checkout.begin_payment(testing.new_session(7), 'notify-2')" -c "BEGIN" -c "SELECT testing.expired(8)" -c "ROLLBACK" | sed "$MASK"
-- A sweep, of sessions whose time has come
SET checkout_sessions.organization_id = :'organization';
SELECT testing.age(testing.new_session(9), '2 hours');
\! "$BINDIR/psql" -XAtqU postgres -d regression -c "$LISTEN" -c "SELECT checkout.expire_due_checkout_sessions() > 0" -c "SELECT checkout.expire_due_checkout_sessions()" | sed "$MASK"
-- Events that are to be delivered again
SELECT event_id FROM checkout.list_webhook_events(event_type => 'checkout.session.completed') \gset
\setenv EVENT :event_id
\! "$BINDIR/psql" -XAtqU sender -d regression -c "$LISTEN" -c "SELECT checkout.redeliver_webhook_events(ARRAY['$EVENT'])" -c "SELECT checkout.redeliver_webhook_events(ARRAY['$EVENT'], status => 'dead')" | sed "$MASK"
-- An endpoint that is disabled, where there is another to tell
SELECT (checkout.create_webhook_endpoint('https://shop.example/alarm', '{webhook_endpoint.disabled}')).url;
SELECT event_id, lease_token FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'endpoint' LIMIT 1 \gset
SELECT format('%L, %L, %L', :'event_id', :'endpoint', :'lease_token') AS attempt \gset
\setenv ATTEMPT :attempt
\! "$BINDIR/psql" -XAtqU sender -d regression -c "$LISTEN" -c "SELECT status FROM checkout.record_webhook_attempt($ATTEMPT, 410)" | sed "$MASK"
-- An endpoint that is enabled again: what has waited is due. A relay that gives back what it holds.
\! "$BINDIR/psql" -XAtqU shop_notify -d regression -c "$LISTEN" -c "SELECT enabled FROM checkout.update_webhook_endpoint('$ENDPOINT', enabled => true)" | sed "$MASK"
SELECT format('%L, %L, %L', event_id, webhook_endpoint_id, lease_token) AS delivery FROM checkout.claim_webhook_deliveries(batch_size => 1) \gset
\setenv DELIVERY :delivery
\! "$BINDIR/psql" -XAtqU sender -d regression -c "$LISTEN" -c "SELECT checkout.release_webhook_delivery($DELIVERY)" -c "SELECT checkout.release_webhook_delivery($DELIVERY)" | sed "$MASK"
-- Off, for a session, a role or the server
\! "$BINDIR/psql" -XAtqU shop_notify -d regression -c "$LISTEN" -c "SET checkout_sessions.webhook_notify = off" -c "SELECT testing.expired(10)" -c "SET checkout_sessions.webhook_notify = on" -c "SELECT testing.expired(11)" | sed "$MASK"
RESET checkout_sessions.organization_id;
CALL testing.forget_endpoints();
