-- Subscriptions: sold by a session, renewed by others, each period once; trials; what the clock brings; cancelled.
SELECT checkout.create_organization('Club', uses_catalog => true, time_zone => 'Europe/Paris',
    renewal_notice => '3 days', renewal_grace_period => '2 days') AS organization \gset
SELECT testing.login('shop_club', :'organization');
-- Moves a subscription into the past, until its period ends so soon; what renews it goes along.
CREATE PROCEDURE testing.ends_in(subscription uuid, span interval) LANGUAGE sql AS $$
    UPDATE checkout_data.session_periods p SET period_start = now() + span, period_end = p.period_end
        - (p.period_start - now() - span)
    FROM checkout_data.subscriptions s WHERE s.subscription_id = subscription AND p.period_start = s.current_period_end;
    UPDATE checkout_data.subscriptions SET anchor = anchor - (current_period_end - now() - span),
        current_period_start = current_period_start - (current_period_end - now() - span),
        ends_at = ends_at - (current_period_end - now() - span),
        next_event_at = next_event_at - (current_period_end - now() - span),
        trial_end = trial_end - (current_period_end - now() - span), current_period_end = now() + span
    WHERE subscription_id = subscription
$$;
\c - shop_club
SELECT product_id FROM checkout.create_product('Tea club', 'club');
SELECT product_id FROM checkout.create_product('Paper', 'paper');
SELECT price_id, interval_unit, interval_count, trial_period, is_default
FROM checkout.create_price('club', 'EUR', 12.50, price_id => 'monthly', interval_unit => 'month');
SELECT price_id, interval_unit, interval_count, trial_period
FROM checkout.create_price('paper', 'EUR', 100, price_id => 'quarterly', interval_unit => 'month', interval_count => 3,
    trial_period => '1 month');
SELECT price_id FROM checkout.create_price('paper', 'EUR', 5, price_id => 'once');
SELECT arguments, testing.outcome(
    'SELECT checkout.create_price(''club'', ''EUR'', price_id => ''x'', ' || arguments || ')')
FROM unnest(ARRAY[
    'amount => 1, interval_unit => ''month'', interval_count => 121', 'amount => 1, interval_unit => ''fortnight''',
    'amount => 1, interval_count => 2', 'amount => 1, trial_period => ''1 day''',
        'minimum_amount => 1, interval_unit => ''day''',
    'amount => 1, interval_unit => ''day'', trial_period => ''732 days''',
    'amount => 1, interval_unit => ''day'', trial_period => ''-1 day''',
    'amount => 1, interval_unit => ''month'', trial_period => ''-24 mons 721 days''',
    'amount => 1, interval_unit => ''month'', trial_period => ''1 mon -29 days''',
    'amount => 1, interval_unit => ''month'', trial_period => ''2 days -1 hour''']) AS arguments;

-- A session that sells such a price begins a subscription when it is paid. The id is known before.
SELECT checkout_session_id AS session, subscription_id AS subscription, amount, title, quantity
FROM checkout.create_checkout_session(price_id => 'monthly', customer_id => 'anna', quantity => 2) \gset
SELECT :amount AS amount, :'title' AS title, :quantity AS quantity;
SELECT testing.outcome(format('SELECT checkout.get_subscription(%L)', :'subscription'));
SELECT status FROM checkout.record_payment(:'session', 'p1', 'succeeded');
SELECT status FROM checkout.record_payment(:'session', 'p1', 'succeeded');
SELECT status, customer_id, quantity, amount, interval_unit, time_zone, periods_paid,
    anchor = current_period_start AS from_now,
        current_period_end = (anchor AT TIME ZONE time_zone + '1 month') AT TIME ZONE time_zone
        AS for_a_month, ends_at - current_period_end AS grace, trial_end, checkout_session_id = :'session'
            AS by_the_session
FROM checkout.get_subscription(:'subscription');

-- A renewal is another session; what it costs is known. It is opened once, for one period.
SELECT checkout_session_id AS second, amount, customer_id, quantity, title, idempotent_replay
FROM checkout.create_checkout_session(subscription_id => :'subscription') \gset
SELECT :amount AS amount, :'customer_id' AS customer_id, :quantity AS quantity, :'title' AS title;
SELECT checkout_session_id = :'second' AS the_same, idempotent_replay
FROM checkout.create_checkout_session(subscription_id => :'subscription', customer_id => 'anna', amount => 25,
    currency_code => 'eur', price_id => 'monthly', product_id => 'club', quantity => 2, reference => 'again');
SELECT p.period_start = s.current_period_end AS from_the_paid_end, p.trial FROM checkout.session_periods p,
    checkout.subscription(p) s WHERE p.checkout_session_id = :'second';
SELECT arguments, testing.outcome(format('SELECT checkout.create_checkout_session(subscription_id => %L, %s)',
    :'subscription', arguments))
FROM unnest(ARRAY['amount => 12.50', 'quantity => 3', 'customer_id => ''ben''',
    'customer_email => ''anna@shop.example''',
    'currency_code => ''USD''', 'price_id => ''quarterly''', 'product_id => ''paper''', 'allow_quantity => true',
    'lines => ''[{"price_id": "once"}]''']) AS arguments;
SELECT arguments, testing.outcome(format('SELECT checkout.create_checkout_session(%s)', arguments))
FROM unnest(ARRAY['subscription_id => ''none''', 'subscription_id => ''01a21e29-b912-7057-8682-c127fe4e9645''',
    'subscription_id => ''''', 'price_id => ''monthly''',
        'lines => ''[{"price_id": "monthly"}]'', customer_id => ''anna'''
    ]) AS arguments;
-- A second create answers the open one, before the reference policy has a say.
\c - postgres
SELECT reference_policy FROM checkout.update_organization(:'organization', reference_policy => 'expire_previous');
\c - shop_club
SELECT status FROM checkout.expire_checkout_session(:'second');
SELECT checkout_session_id AS ended
FROM checkout.create_checkout_session(subscription_id => :'subscription', reference => 'Y1') \gset
SELECT status FROM checkout.expire_checkout_session(:'ended');
SELECT checkout_session_id AS second
FROM checkout.create_checkout_session(subscription_id => :'subscription', reference => 'Y1') \gset
SELECT checkout_session_id = :'second' AS the_open_one, idempotent_replay
FROM checkout.create_checkout_session(subscription_id => :'subscription', reference => 'Y1');
\c - postgres
SELECT reference_policy FROM checkout.update_organization(:'organization', reference_policy => 'error');
\c - shop_club
SELECT checkout_session_id = :'second' AS the_open_one, idempotent_replay
FROM unnest(ARRAY['Y1', 'Y2']) AS reference,
    checkout.create_checkout_session(subscription_id => :'subscription', reference => reference);
-- So does the recovery of an earlier one.
SELECT checkout_session_id = :'second' AS the_open_one, idempotent_replay
FROM checkout.recover_checkout_session(:'ended');
\c - postgres
SELECT reference_policy FROM checkout.update_organization(:'organization', reference_policy => 'none');
\c - shop_club
-- Early: the new period begins at the paid end.
SELECT status FROM checkout.record_payment(:'second', 'p2', 'succeeded');
SELECT status, periods_paid,
    current_period_start = (anchor AT TIME ZONE time_zone + '1 month') AT TIME ZONE time_zone AS "from",
    current_period_end = (anchor AT TIME ZONE time_zone + '2 months') AT TIME ZONE time_zone AS until,
    latest_checkout_session_id = :'second' AS by_the_second
FROM checkout.get_subscription(:'subscription');
-- The events of both.
SELECT event_type, sequence, body::jsonb #>> '{data,object,status}' AS status,
    body::jsonb #>> '{data,object,periods_paid}' AS periods_paid
FROM checkout.list_webhook_events() ORDER BY subject_id, sequence;

-- By the clock: past due, and then ended. The worker tells of each once.
\c - postgres
CALL testing.ends_in(:'subscription', '2 days');
SELECT task, row_count FROM checkout.run_maintenance() WHERE task = 'announce';
SELECT task, row_count FROM checkout.run_maintenance() WHERE task = 'announce';
CALL testing.ends_in(:'subscription', '-1 day');
\c - shop_club
SELECT status FROM checkout.get_subscription(:'subscription');
SELECT count(*) FROM checkout.list_subscriptions(status => 'past_due', customer_id => 'anna', price_id => 'monthly');
SELECT status FROM checkout.subscriptions;
-- In the days of grace a renewal begins where the last period ended.
SELECT checkout_session_id AS third FROM checkout.create_checkout_session(subscription_id => :'subscription') \gset
\c - postgres
SELECT row_count FROM checkout.run_maintenance() WHERE task = 'announce';
SELECT current_period_end AS paid_end FROM checkout_data.subscriptions WHERE subscription_id = :'subscription' \gset
\c - shop_club
SELECT status FROM checkout.record_payment(:'third', 'p3', 'succeeded');
SELECT status, periods_paid, current_period_start = :'paid_end' AS from_the_paid_end
    FROM checkout.get_subscription(:'subscription');
-- After them it begins with the payment, and so do the periods that follow.
SELECT checkout_session_id AS fourth FROM checkout.create_checkout_session(subscription_id => :'subscription') \gset
\c - postgres
CALL testing.ends_in(:'subscription', '-33 days');
SELECT sum(row_count) FROM checkout.run_maintenance() WHERE task = 'announce';
SELECT sum(row_count) FROM checkout.run_maintenance() WHERE task = 'announce';
SELECT sum(row_count) FROM checkout.run_maintenance() WHERE task = 'announce';
\c - shop_club
SELECT status FROM checkout.get_subscription(:'subscription');
SELECT status FROM checkout.record_payment(:'fourth', 'p4', 'succeeded');
SELECT status, periods_paid, anchor = current_period_start AS anew, anchor > now() - interval '1 minute' AS from_now,
    current_period_end = (anchor AT TIME ZONE time_zone + '1 month') AT TIME ZONE time_zone AS for_a_month
FROM checkout.get_subscription(:'subscription');
-- The session has paid that period, and no earlier one.
SELECT p.period_start = s.current_period_start AS starts, p.period_end = s.current_period_end AS ends
FROM checkout.session_periods p, checkout.get_subscription(:'subscription') s WHERE p.checkout_session_id = :'fourth';
SELECT event_type, body::jsonb #>> '{data,object,status}' AS status
FROM checkout.list_webhook_events() WHERE subject_id = :'subscription' ORDER BY sequence;

-- Money for a period that is paid already, or for what was canceled, is rejected and kept.
SELECT checkout_session_id AS fifth FROM checkout.create_checkout_session(subscription_id => :'subscription') \gset
\c - postgres
UPDATE checkout_data.session_periods SET period_start = period_start - interval '1 day'
    WHERE checkout_session_id = :'fifth';
\c - shop_club
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''p5'')', :'fifth'));
SELECT status, rejection_reason FROM checkout.record_payment(:'fifth', 'p5', 'succeeded');
SELECT status, rejection_reason FROM checkout.record_payment(:'fifth', 'p5', 'succeeded');
SELECT status FROM checkout.expire_checkout_session(:'fifth');
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'fifth'));
SELECT checkout_session_id AS sixth FROM checkout.create_checkout_session(subscription_id => :'subscription') \gset
\c - postgres
UPDATE checkout_data.subscriptions SET canceled_at = now() WHERE subscription_id = :'subscription';
\c - shop_club
SELECT status, rejection_reason FROM checkout.record_payment(:'sixth', 'p6', 'succeeded');
SELECT testing.outcome(format('SELECT checkout.apply_payment(''p5'', %L)', :'sixth'));
\c - postgres
UPDATE checkout_data.subscriptions SET canceled_at = NULL WHERE subscription_id = :'subscription';
\c - shop_club
SELECT status, checkout_session_id = :'sixth' AS moved FROM checkout.apply_payment('p5', :'sixth');
SELECT periods_paid FROM checkout.get_subscription(:'subscription');
-- An expired renewal can be recovered while its period is not paid; there is one open renewal at most.
SELECT checkout_session_id AS seventh FROM checkout.create_checkout_session(subscription_id => :'subscription') \gset
SELECT status FROM checkout.expire_checkout_session(:'seventh');
SELECT checkout_session_id AS eighth FROM checkout.create_checkout_session(subscription_id => :'subscription') \gset
SELECT checkout_session_id = :'eighth' AS the_open_one, idempotent_replay
    FROM checkout.recover_checkout_session(:'seventh');
SELECT status FROM checkout.expire_checkout_session(:'eighth');
SELECT checkout_session_id AS ninth, subscription_id = :'subscription' AS renews
    FROM checkout.recover_checkout_session(:'seventh') \gset
SELECT status FROM checkout.record_payment(:'ninth', 'p9', 'succeeded');
SELECT periods_paid FROM checkout.get_subscription(:'subscription');
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'eighth'));

-- A trial is free, and a customer has one of a product, however he writes his address.
SELECT checkout_session_id AS trial, subscription_id AS paper, amount
FROM checkout.create_checkout_session(price_id => 'quarterly', customer_email => 'Ben@Mail.example') \gset
SELECT :amount AS amount;
SELECT checkout_session_id AS other FROM checkout.create_checkout_session(price_id => 'quarterly',
    customer_email => 'ben@mail.example') \gset
SELECT status, payment_status FROM checkout.complete_free_checkout_session(:'trial');
SELECT testing.outcome(format('SELECT checkout.complete_free_checkout_session(%L)', :'other'));
-- A report of money is kept all the same, even of none.
SELECT status, rejection_reason, amount FROM checkout.record_payment(:'other', 'nothing', 'succeeded');
SELECT status, rejection_reason, amount FROM checkout.record_payment(:'other', 'something', 'succeeded', 100);
-- Nor does a recovered session have it: a new one asks for the price.
SELECT status FROM checkout.expire_checkout_session(:'other');
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'other'));
SELECT amount FROM checkout.create_checkout_session(price_id => 'quarterly', customer_email => 'ben@mail.example');
SELECT amount FROM checkout.create_checkout_session(price_id => 'quarterly', customer_id => 'carla', amount => 0);
SELECT status, periods_paid, trial_end = current_period_end AS trial,
    trial_end = (created_at AT TIME ZONE time_zone + '1 month') AT TIME ZONE time_zone AS a_month
        FROM checkout.get_subscription(:'paper');
SELECT checkout_session_id AS paid, amount FROM checkout.create_checkout_session(subscription_id => :'paper') \gset
SELECT :amount AS amount;
SELECT status FROM checkout.record_payment(:'paid', 'paper-1', 'succeeded');
SELECT status, periods_paid, anchor = trial_end AS from_its_end, current_period_end =
    (trial_end AT TIME ZONE time_zone + '3 months') AT TIME ZONE time_zone AS a_quarter
        FROM checkout.get_subscription(:'paper');

-- In any script.
SELECT checkout_session_id AS trial, subscription_id AS of_zoe
FROM checkout.create_checkout_session(price_id => 'quarterly',
    customer_email => 'ZOË@mail.example') \gset
SELECT status FROM checkout.complete_free_checkout_session(:'trial');
SELECT amount FROM checkout.create_checkout_session(price_id => 'quarterly', customer_email => 'zoë@mail.example');
-- The customer of a renewal is known, also to a coupon.
SELECT code FROM checkout.create_coupon('BACK', percent_off => 10, max_redemptions_per_customer => 1);
SELECT amount FROM checkout.create_checkout_session(subscription_id => :'of_zoe', coupon_code => 'back');

-- A browser may begin one, without a trial, and may not renew one.
\c - postgres
CREATE ROLE browser_club LOGIN;
SELECT testing.bind('browser_club', :'organization');
SELECT checkout.grant_access('browser_club', 'publishable');
\c - browser_club
SELECT amount, status FROM checkout.create_checkout_session(price_id => 'quarterly',
    customer_email => 'new@mail.example');
SELECT testing.outcome(format('SELECT checkout.create_checkout_session(subscription_id => %L)', :'paper'));
SELECT testing.outcome(format('SELECT checkout.get_subscription(%L)', :'paper'));

-- Cancelled at the end of the period, and taken back; cancelled now.
\c - shop_club
SELECT checkout_session_id AS open FROM checkout.create_checkout_session(subscription_id => :'paper') \gset
SELECT status FROM checkout.begin_payment(:'open', 'paper-2');
SELECT testing.outcome(format('SELECT checkout.cancel_subscription(%L)', :'paper'));
SELECT status FROM checkout.record_payment(:'open', 'paper-2', 'failed');
SELECT status, cancel_at_period_end, canceled_at IS NOT NULL AS canceled FROM checkout.cancel_subscription(:'paper');
SELECT status, cancel_at_period_end FROM checkout.cancel_subscription(:'paper');
SELECT status FROM checkout.get_checkout_session(:'open');
SELECT testing.outcome(format('SELECT checkout.create_checkout_session(subscription_id => %L)', :'paper'));
SELECT status, cancel_at_period_end, canceled_at FROM checkout.resume_subscription(:'paper');
SELECT status, cancel_at_period_end, canceled_at FROM checkout.resume_subscription(:'paper');
SELECT status, cancel_at_period_end FROM checkout.cancel_subscription(:'paper');
\c - postgres
CALL testing.ends_in(:'paper', '-30 days');
SELECT row_count FROM checkout.run_maintenance() WHERE task = 'announce';
\c - shop_club
SELECT status FROM checkout.get_subscription(:'paper');
SELECT testing.outcome(format('SELECT checkout.resume_subscription(%L)', :'paper'));
SELECT status FROM checkout.cancel_subscription(:'subscription', at_period_end => false);
SELECT status FROM checkout.cancel_subscription(:'subscription', at_period_end => false);
SELECT event_type, body::jsonb #>> '{data,object,status}' AS status
    FROM checkout.list_webhook_events(event_type => 'subscription.ended')
ORDER BY subject_id, sequence;
SELECT status, count(*) FROM checkout.list_subscriptions() GROUP BY 1 ORDER BY 1;
SELECT call, testing.outcome('SELECT checkout.' || call) FROM unnest(ARRAY['get_subscription(NULL)',
    'get_subscription(''01a21e29-b912-7057-8682-c127fe4e9645'')', 'cancel_subscription(NULL)',
    'cancel_subscription(''01a21e29-b912-7057-8682-c127fe4e9645'')', 'resume_subscription(NULL)',
    'resume_subscription(''01a21e29-b912-7057-8682-c127fe4e9645'')', 'list_subscriptions(status => ''Active'')',
    'list_subscriptions(page_size => 0)',
        'list_subscriptions(starting_after => ''01a21e29-b912-7057-8682-c127fe4e9645'')']) AS call;
SELECT testing.outcome(format('SELECT checkout.cancel_subscription(%L, NULL)', :'paper'));
-- Pages of the list, and the same rows as the view.
SELECT count(*) FROM (SELECT to_jsonb(v) FROM checkout.subscriptions v EXCEPT
    SELECT to_jsonb(l) FROM checkout.list_subscriptions() l) AS d;
SELECT s.price_id FROM checkout.list_subscriptions(page_size => 1) f,
    checkout.list_subscriptions(starting_after => f.subscription_id) s;

-- The calendar: never from the period before; by the clocks of the zone; and a zone that is gone is UTC.
\c - postgres
SELECT n, checkout_data.period_boundary('2027-01-31 12:00+01', 'Europe/Paris',
    n * interval '1 month') AT TIME ZONE 'Europe/Paris'
FROM generate_series(1, 4) n;
SELECT checkout_data.period_boundary('2027-03-27 02:30+01', 'Europe/Paris', '1 day') AT TIME ZONE 'Europe/Paris'
    AS left_out,
    checkout_data.period_boundary('2027-03-27 12:00+01', 'Europe/Paris', '1 day') AT TIME ZONE 'Europe/Paris' AS noon,
    checkout_data.period_boundary('2024-02-29 12:00+00', 'Europe/Paris', '1 year') AT TIME ZONE 'UTC' AS leap_day,
    checkout_data.period_boundary('2027-01-31 12:00+00', 'Mars/Olympus', '1 month') AT TIME ZONE 'UTC' AS gone;
\c - postgres
UPDATE checkout_data.organizations SET time_zone = 'Mars/Olympus' WHERE organization_id = :'organization';
\c - shop_club
SELECT checkout_session_id AS mars FROM checkout.create_checkout_session(price_id => 'monthly',
    customer_id => 'mars') \gset
SELECT status FROM checkout.record_payment(:'mars', 'mars', 'succeeded');
SELECT status, time_zone FROM checkout.list_subscriptions(customer_id => 'mars');
\c - postgres
SELECT setting, testing.outcome(format('SELECT checkout.update_organization(%L, %s)', :'organization', setting))
FROM unnest(ARRAY['time_zone => ''Mars/Olympus''', 'time_zone => ''''', 'time_zone => ''XYZ+3''',
    'time_zone => ''posix/UTC''', 'time_zone => ''localtime''', 'time_zone => ''Factory''',
    'renewal_grace_period => ''-1 day''', 'renewal_grace_period => ''367 days''', 'renewal_notice => ''-1 day'''])
        AS setting;
-- A year has 365.25 days, a month 30.
SELECT renewal_grace_period, renewal_notice
FROM checkout.update_organization(:'organization', renewal_grace_period => '1 year', renewal_notice => '1 month');
SELECT time_zone, renewal_grace_period, renewal_notice
FROM checkout.update_organization(:'organization', time_zone => 'Africa/Dakar', renewal_grace_period => '0',
    renewal_notice => '0');
-- Without days of grace it is over at once.
\c - shop_club
SELECT checkout_session_id AS brief, subscription_id AS short
    FROM checkout.create_checkout_session(price_id => 'monthly', customer_id => 'eve') \gset
SELECT status FROM checkout.record_payment(:'brief', 'eve', 'succeeded');
\c - postgres
CALL testing.ends_in(:'short', '-1 day');
SELECT row_count FROM checkout.run_maintenance() WHERE task = 'announce';
SELECT event_type, snapshot #>> '{subscription,status}' AS status FROM checkout_data.webhook_outbox
    WHERE subject_id = :'short' ORDER BY sequence;
-- A notice that is longer than the period is given at once, and once.
SELECT renewal_notice FROM checkout.update_organization(:'organization', renewal_notice => '40 days');
\c - shop_club
SELECT checkout_session_id AS brief, subscription_id AS noticed
    FROM checkout.create_checkout_session(price_id => 'monthly', customer_id => 'noa') \gset
SELECT status FROM checkout.record_payment(:'brief', 'noa', 'succeeded');
\c - postgres
SELECT sum(row_count) FROM checkout.run_maintenance() WHERE task = 'announce';
SELECT sum(row_count) FROM checkout.run_maintenance() WHERE task = 'announce';
SELECT event_type FROM checkout_data.webhook_outbox WHERE subject_id = :'noticed' ORDER BY sequence;
-- What cannot be stored.
SELECT change, split_part(testing.outcome('UPDATE checkout_data.subscriptions SET ' || change), ' / ', 1) AS outcome
FROM unnest(ARRAY['current_period_end = current_period_start', 'ends_at = current_period_end - interval ''1 s''',
    'periods = periods_paid + 1',
    'customer_id = NULL, customer_email = NULL', 'canceled_at = NULL, cancel_at_period_end = true',
        'next_event_at = NULL, announced = ''none''',
    'interval_unit = ''fortnight''', 'quantity = 0']) AS change;
DROP PROCEDURE testing.ends_in;
