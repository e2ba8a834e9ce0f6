// Every function that callers with an API key or a client secret may call, by rpc.

import assert from 'node:assert/strict';
import test from 'node:test';
import {
    anybody, answer, browser, create, id, keys, members, order, organizations, otherShop, paid, refused, shop, withKey,
} from './shop.js';

const READ_ONLY = { get: true };

test('create_checkout_session answers an object, not a list', async () => {
    const session = await create({ title: 'Coffee', metadata: { order: 7 } });
    assert.equal(Array.isArray(session), false);
    assert.equal(session.organization_id, organizations.a);
    assert.equal(session.amount, 12.34);
    assert.equal(session.status, 'open');
    assert.deepEqual(session.metadata, { order: 7 });
    assert.equal(session.created_by, keys.secret.slice(0, 20));
    assert.match(session.client_secret, /^cs_secret_/);
});

test('the body of the documented lomi API is posted unchanged', async () => {
    const body = {
        amount: 10000.0,
        currency_code: 'XOF',
        title: 'Premium Subscription',
        description: 'Monthly subscription to premium features',
        customer_email: 'john@example.com',
        customer_name: 'John Doe',
        customer_phone: '+221771234567',
        product_id: '123e4567-e89b-12d3-a456-426614174000',
        price_id: '321e4567-e89b-12d3-a456-426614174000',
        allow_quantity: false,
        quantity: 1,
        success_url: 'https://example.com/success',
        cancel_url: 'https://example.com/cancel',
        allow_coupon_code: true,
        require_billing_address: true,
        metadata: { order_id: 'ORDER-12345' },
    };
    const session = await answer(shop.rpc('create_checkout_session', body));
    for (const [name, value] of Object.entries(body)) assert.deepEqual(session[name], value, name);
    const documented = ['checkout_session_id', 'organization_id', 'status', 'customer_id', 'subscription_id',
        'payment_link_id', 'is_spi', 'is_pos', 'expires_at', 'environment', 'created_at', 'created_by', 'updated_at'];
    for (const name of documented) assert.ok(name in session, name);
});

test('get_checkout_session answers an object, to POST and to GET', async () => {
    const session = await create();
    for (const options of [{}, READ_ONLY]) {
        const again = await answer(shop.rpc('get_checkout_session', id(session), options));
        assert.equal(again.client_secret, session.client_secret);
        assert.equal(again.customer_id, session.customer_id);
    }
    const part = await answer(shop.rpc('get_checkout_session', id(session)).select('status, amount').single());
    assert.deepEqual(part, { status: 'open', amount: 12.34 });
});

test('list_checkout_sessions answers a list, to POST and to GET', async () => {
    const session = await create();
    const { customer_id } = session;
    for (const options of [{}, READ_ONLY]) {
        const list = await answer(shop.rpc('list_checkout_sessions', { customer_id }, options));
        assert.deepEqual(list.map(id), [id(session)]);
    }
    assert.deepEqual(await answer(shop.rpc('list_checkout_sessions', { customer_id: 'nobody' })), []);
});

test('simulate_payment plays a scenario in the test environment only', async () => {
    const tests = withKey(keys.test);
    const simulate = (by, session, scenario) => by.rpc('simulate_payment', { ...id(session), scenario });
    const session = await create({ max_retry_attempts: 1 }, tests);
    const declined = await answer(simulate(tests, session, 'decline:expired_card'));
    assert.deepEqual([declined.status, declined.attempts], ['open', 1]);
    const complete = await answer(simulate(tests, session, 'complete'));
    assert.deepEqual([complete.status, complete.payment_status], ['complete', 'paid']);
    await refused(simulate(tests, session, 'fail'), 409, 'PT409', /is complete/);
    await refused(simulate(tests, session, 'nonsense'), 400, '22023', /wrong_amount/);
    await refused(simulate(tests, session, 'error:418'), 418, 'PT418', /Simulated error/);
    await refused(simulate(shop, await create(), 'complete'), 403, 'PT403', /test environment only/);
    await refused(simulate(browser, session, 'complete'), 403, 'PT403', /publishable/);
});

test('a payment begins, is recorded, and completes the session', async () => {
    const session = await create();
    const payment = { ...id(session), payment_id: `pay ${session.customer_id}` };
    const begun = await answer(shop.rpc('begin_payment', { ...payment, lease: '1 minute' }));
    assert.equal(begun.status, 'processing');
    const processing = await answer(shop.rpc('get_checkout_session', id(session)).select('status, payment_status'));
    assert.deepEqual(processing, { status: 'open', payment_status: 'processing' });
    const recorded = await answer(shop.rpc('record_payment', { ...payment, outcome: 'succeeded', amount: 12.34 }));
    assert.equal(recorded.status, 'succeeded');
    const complete = await answer(shop.rpc('get_checkout_session', id(session)).select('status, payment_status'));
    assert.deepEqual(complete, { status: 'complete', payment_status: 'paid' });
});

test('money that came too late is an answer and not an error', async () => {
    const { session } = await paid();
    const second = { ...id(session), payment_id: `late ${session.customer_id}`, outcome: 'succeeded' };
    const payment = await answer(shop.rpc('record_payment', second));
    assert.equal(payment.status, 'rejected');
    assert.equal(payment.rejection_reason, 'already_paid');
});

test('list_payments answers a list, to POST and to GET', async () => {
    const { session, payment } = await paid();
    for (const options of [{}, READ_ONLY]) {
        const list = await answer(shop.rpc('list_payments', id(session), options));
        assert.deepEqual(list.map((one) => [one.payment_id, one.status]), [[payment.payment_id, 'succeeded']]);
    }
});

test('money is returned, and the refunds are listed, to POST and to GET', async () => {
    const { payment } = await paid();
    const { payment_id } = payment;
    const refund = { payment_id, refund_id: `refund of ${payment_id}`, amount: 2.34 };
    const { status, amount, idempotent_replay } = await answer(shop.rpc('record_refund', refund));
    assert.deepEqual([status, amount, idempotent_replay], ['succeeded', 2.34, false]);
    assert.equal((await answer(shop.rpc('record_refund', refund))).idempotent_replay, true);
    await refused(shop.rpc('record_refund', { payment_id, refund_id: 'too much', amount: 10.01 }), 409, 'PT409');
    for (const options of [{}, READ_ONLY]) {
        const list = await answer(shop.rpc('list_refunds', { payment_id }, options));
        assert.deepEqual(list.map((one) => [one.refund_id, one.amount]), [[refund.refund_id, 2.34]]);
    }
});

test('a late payment pays the session that was recovered', async () => {
    const session = await create();
    await answer(shop.rpc('expire_checkout_session', id(session)));
    const payment_id = `late ${session.customer_id}`;
    await answer(shop.rpc('record_payment', { ...id(session), payment_id, outcome: 'succeeded' }));
    const recovered = await answer(shop.rpc('recover_checkout_session', id(session)));
    const again = await answer(shop.rpc('recover_checkout_session', id(session)));
    assert.deepEqual([again.checkout_session_id, again.idempotent_replay], [recovered.checkout_session_id, true]);
    const to_refund = async () => (await answer(shop.rpc('list_payments', { to_refund: true }))).map((one) => one.payment_id);
    assert.ok((await to_refund()).includes(payment_id));
    const applied = await answer(shop.rpc('apply_payment', { ...id(recovered), payment_id }));
    assert.deepEqual([applied.status, applied.applied_from], ['succeeded', session.checkout_session_id]);
    assert.ok(!(await to_refund()).includes(payment_id));
});

test('list_webhook_events answers a list, to POST and to GET', async () => {
    const { session } = await paid();
    for (const options of [{}, READ_ONLY]) {
        const [event, ...more] = await answer(shop.rpc('list_webhook_events', id(session), options));
        assert.deepEqual(more, []);
        assert.equal(event.event_type, 'checkout.session.completed');
        const body = JSON.parse(typeof event.body === 'string' ? event.body : JSON.stringify(event.body));
        assert.equal(body.data.object.checkout_session_id, session.checkout_session_id);
    }
});

test('a webhook consumer is made, listed and deleted, and claims, acknowledges and puts off its events', async () => {
    const consumer = `jobs ${Math.random()}`;
    const made = await answer(shop.rpc('create_webhook_consumer', { name: consumer, event_types: ['checkout.session.*'] }));
    assert.equal(Array.isArray(made), false);
    assert.deepEqual([made.name, made.event_types, made.organization_id, made.environment, made.created_by],
        [consumer, ['checkout.session.*'], organizations.a, 'live', keys.secret.slice(0, 20)]);
    try {
        for (const options of [{}, READ_ONLY]) {
            const listed = await answer(shop.rpc('list_webhook_consumers', {}, options));
            assert.ok(listed.some((one) => one.webhook_consumer_id === made.webhook_consumer_id));
            assert.deepEqual(await answer(otherShop.rpc('list_webhook_consumers', {}, options)), []);
        }
        const { session } = await paid();
        const claim = async () => {
            const claimed = await answer(shop.rpc('claim_webhook_events', { consumer, batch_size: 10, lease: '1 minute' }));
            return claimed.find((event) => event.checkout_session_id === session.checkout_session_id);
        };
        const first = await claim();
        assert.deepEqual([first.event_type, first.delivery_attempts], ['checkout.session.completed', 1]);
        const held = (event) => ({ consumer, event_id: event.event_id, lease_token: event.lease_token });
        const delivery = await answer(shop.rpc('nack_webhook_event', { ...held(first), error: 'busy', retry_after: '0' }));
        assert.deepEqual([delivery.status, delivery.consumer, delivery.last_error], ['pending', consumer, 'busy']);
        await refused(shop.rpc('nack_webhook_event', held(first)), 409, 'PT409', /lease/);
        await refused(otherShop.rpc('claim_webhook_events', { consumer }), 404, 'PT404');
        await refused(shop.rpc('delete_webhook_consumer', { name: consumer }), 409, 'PT409', /undelivered/);
        const { event_id, lease_token } = await claim();
        assert.equal(await answer(shop.rpc('ack_webhook_events', { consumer, event_ids: [event_id], lease_token })), 1);
    } finally {
        const deleted = await answer(shop.rpc('delete_webhook_consumer', { name: consumer, discard_undelivered: true }));
        assert.equal(deleted.webhook_consumer_id, made.webhook_consumer_id);
    }
});

test('a webhook endpoint is made, listed, changed, rolled and deleted', async () => {
    const url = 'https://shop.example/hooks';
    const made = await answer(shop.rpc('create_webhook_endpoint', { url, event_types: ['checkout.session.*'] }));
    assert.equal(Array.isArray(made), false);
    assert.deepEqual([made.url, made.event_types, made.enabled, made.organization_id, made.environment, made.created_by],
        [url, ['checkout.session.*'], true, organizations.a, 'live', keys.secret.slice(0, 20)]);
    assert.match(made.secret, /^whsec_/);
    const { webhook_endpoint_id } = made;
    try {
        for (const options of [{}, READ_ONLY]) {
            const listed = await answer(shop.rpc('list_webhook_endpoints', {}, options));
            const [one] = listed.filter((endpoint) => endpoint.webhook_endpoint_id === webhook_endpoint_id);
            assert.deepEqual([one.url, one.secret], [url, null]);
            assert.deepEqual(await answer(otherShop.rpc('list_webhook_endpoints', {}, options)), []);
        }
        const changed = await answer(shop.rpc('update_webhook_endpoint', { webhook_endpoint_id, enabled: false, description: 'Ω' }));
        assert.deepEqual([changed.enabled, changed.disabled_reason, changed.description, changed.url, changed.secret],
            [false, 'requested', 'Ω', url, null]);
        const rolled = await answer(shop.rpc('roll_webhook_secret', { webhook_endpoint_id, overlap: '1 hour' }));
        assert.match(rolled.secret, /^whsec_/);
        assert.notEqual(rolled.secret, made.secret);
        assert.notEqual(rolled.previous_secret_expires_at, null);
        for (const [name, parameters] of Object.entries({
            update_webhook_endpoint: { enabled: true }, roll_webhook_secret: {}, delete_webhook_endpoint: {}, list_webhook_deliveries: {},
        })) {
            await refused(otherShop.rpc(name, { webhook_endpoint_id, ...parameters }), 404, 'PT404', /not found or access denied/);
        }
    } finally {
        const deleted = await answer(shop.rpc('delete_webhook_endpoint', { webhook_endpoint_id }));
        assert.deepEqual([deleted.webhook_endpoint_id, deleted.secret], [webhook_endpoint_id, null]);
    }
    await refused(shop.rpc('delete_webhook_endpoint', { webhook_endpoint_id }), 404, 'PT404');
});

test('a wrong webhook endpoint is refused', async () => {
    for (const parameters of [
        { url: 'http://shop.example' }, { url: 'https://10.0.0.1' }, { url: 'https://shop.example', event_types: [] },
        { url: 'https://shop.example', event_types: ['invoice.paid'] }, { url: 'https://shop.example', body_format: 'xml' },
        { url: 'https://shop.example', signature_scheme: 'none' },
    ]) {
        await refused(shop.rpc('create_webhook_endpoint', parameters), 400, '22023', /^argument "\w+" must/);
    }
    await refused(shop.rpc('create_webhook_endpoint', { url: null }), 400, '22004', /"url"/);
});

test('list_webhook_deliveries and list_webhook_attempts answer lists, to POST and to GET', async () => {
    const { webhook_endpoint_id } = await answer(shop.rpc('create_webhook_endpoint', { url: 'https://shop.example/lists' }));
    try {
        const { session } = await paid();
        for (const options of [{}, READ_ONLY]) {
            const [delivery] = await answer(shop.rpc('list_webhook_deliveries', { webhook_endpoint_id, status: 'pending' }, options));
            assert.deepEqual([delivery.checkout_session_id, delivery.event_type, delivery.status, delivery.delivery_attempts],
                [session.checkout_session_id, 'checkout.session.completed', 'pending', 0]);
            const { event_id } = delivery;
            assert.deepEqual(await answer(shop.rpc('list_webhook_attempts', { event_id }, options)), []);
            assert.deepEqual(await answer(shop.rpc('list_webhook_attempts', { event_id, webhook_endpoint_id }, options)), []);
            await refused(otherShop.rpc('list_webhook_attempts', { event_id }, options), 404, 'PT404', /not found/);
        }
    } finally {
        await refused(shop.rpc('delete_webhook_endpoint', { webhook_endpoint_id }), 409, 'PT409', /undelivered/);
        await answer(shop.rpc('delete_webhook_endpoint', { webhook_endpoint_id, discard_undelivered: true }));
    }
});

test('redeliver_webhook_events makes the own events due again, and tells nothing of others', async () => {
    const url = 'https://shop.example/again';
    const { webhook_endpoint_id } = await answer(shop.rpc('create_webhook_endpoint', { url }));
    const theirs = await answer(otherShop.rpc('create_webhook_endpoint', { url }));
    try {
        const { session } = await paid();
        const [{ event_id }] = await answer(shop.rpc('list_webhook_events', id(session)));
        const own = { event_ids: [event_id], webhook_endpoint_id };
        assert.equal(await answer(shop.rpc('redeliver_webhook_events', own)), 1);
        assert.equal(await answer(shop.rpc('redeliver_webhook_events', { ...own, status: 'dead' })), 0);
        for (const call of [
            otherShop.rpc('redeliver_webhook_events', { event_ids: [event_id] }),
            otherShop.rpc('redeliver_webhook_events', { webhook_endpoint_id }),
            withKey(keys.test).rpc('redeliver_webhook_events', { webhook_endpoint_id }),
            shop.rpc('redeliver_webhook_events', { event_ids: [event_id], webhook_endpoint_id: theirs.webhook_endpoint_id }),
        ]) {
            await refused(call, 404, 'PT404', /not found/);
        }
    } finally {
        await answer(shop.rpc('delete_webhook_endpoint', { webhook_endpoint_id, discard_undelivered: true }));
        await answer(otherShop.rpc('delete_webhook_endpoint', { webhook_endpoint_id: theirs.webhook_endpoint_id }));
    }
});

test('a catalog is filled and read, by POST and by GET', async () => {
    const product = await answer(shop.rpc('create_product', { name: 'Mug', product_id: 'mug', on_hand: 10 }));
    assert.deepEqual([product.name, product.on_hand, product.held, product.available], ['Mug', 10, 0, 10]);
    await refused(shop.rpc('create_product', { name: 'Mug', product_id: 'mug' }), 409, 'PT409', /names a product that exists/);
    await refused(shop.rpc('create_price', { product_id: 'plate', currency_code: 'USD', amount: 1 }), 404, 'PT404');
    const price = { product_id: 'mug', currency_code: 'USD', amount: 12.5, price_id: 'mug-usd' };
    assert.equal((await answer(shop.rpc('create_price', price))).is_default, true);
    assert.equal((await answer(shop.rpc('update_price', { price_id: 'mug-usd', active: true }))).amount, 12.5);
    assert.equal((await answer(shop.rpc('update_product', { product_id: 'mug', name: 'Large mug' }))).name, 'Large mug');
    assert.equal((await answer(shop.rpc('adjust_inventory', { product_id: 'mug', change: -2 }))).available, 8);
    assert.equal((await answer(shop.rpc('create_coupon', { code: 'ten', percent_off: 10 }))).code, 'TEN');
    assert.equal((await answer(shop.rpc('update_coupon', { code: 'ten', active: false }))).active, false);
    for (const options of [{}, { get: true }]) {
        assert.deepEqual((await answer(shop.rpc('list_products', { active: true }, options))).map((row) => row.product_id), ['mug']);
        assert.deepEqual((await answer(shop.rpc('list_prices', { product_id: 'mug' }, options))).map((row) => row.amount), [12.5]);
        assert.deepEqual((await answer(shop.rpc('list_coupons', { active: false }, options))).map((row) => row.code), ['TEN']);
        assert.deepEqual(await answer(shop.rpc('coupon_performance', { code: 'ten' }, options)), []);
    }
    const [row] = await answer(shop.from('products').select('name, prices(amount, product(name)), inventory_changes(change)'));
    assert.deepEqual(row, { name: 'Large mug', prices: [{ amount: 12.5, product: { name: 'Large mug' } }],
        inventory_changes: [{ change: 10 }, { change: -2 }] });
});

test('a subscription is begun by a session, read, cancelled and resumed', async () => {
    await answer(members.rpc('create_product', { name: 'Club', product_id: 'club' }));
    const price = { product_id: 'club', currency_code: 'EUR', amount: 9, price_id: 'monthly', interval_unit: 'month', trial_period: '14 days' };
    assert.deepEqual([(await answer(members.rpc('create_price', price))).interval_count], [1]);
    const session = await answer(members.rpc('create_checkout_session', { price_id: 'monthly', customer_id: 'c' }));
    assert.equal(session.amount, 0);
    const subscription_id = session.subscription_id;
    await refused(members.rpc('get_subscription', { subscription_id }), 404, 'PT404');
    await answer(members.rpc('complete_free_checkout_session', id(session)));
    for (const options of [{}, { get: true }]) {
        assert.equal((await answer(members.rpc('get_subscription', { subscription_id }, options))).status, 'trialing');
        assert.deepEqual((await answer(members.rpc('list_subscriptions', { customer_id: 'c' }, options))).map((row) => row.price_id), ['monthly']);
    }
    const renewal = await answer(members.rpc('create_checkout_session', { subscription_id }));
    assert.deepEqual([renewal.amount, renewal.customer_id], [9, 'c']);
    const [row] = await answer(members.from('subscriptions').select('status, session_periods(trial)').eq('subscription_id', subscription_id));
    assert.deepEqual([row.status, row.session_periods.length], ['trialing', 2]);
    assert.equal((await answer(members.rpc('cancel_subscription', { subscription_id }))).cancel_at_period_end, true);
    await refused(members.rpc('create_checkout_session', { subscription_id }), 409, 'PT409', /canceled/);
    assert.equal((await answer(members.rpc('resume_subscription', { subscription_id }))).cancel_at_period_end, false);
    await refused(otherShop.rpc('get_subscription', { subscription_id }), 404, 'PT404');
});

test('a customer gets what is stored about him, and is erased', async () => {
    const customer = { customer_email: 'Ada@shop.example' };
    const session = await create({ customer_id: undefined, ...customer, customer_name: 'Ada', title: 'Tea' });
    for (const options of [{}, { get: true }]) {
        const [{ kind, record }] = await answer(shop.rpc('export_customer', { customer_email: 'ada@shop.example' }, options));
        assert.deepEqual([kind, record.customer_name, record.title], ['checkout_sessions', 'Ada', 'Tea']);
        assert.deepEqual(await answer(otherShop.rpc('export_customer', customer, options)), []);
    }
    await refused(shop.rpc('erase_customer', customer), 409, 'PT409', /open checkout sessions/);
    await answer(shop.rpc('expire_checkout_session', id(session)));
    const erased = await answer(shop.rpc('erase_customer', customer));
    assert.deepEqual(erased.filter((row) => row.row_count > 0), [{ kind: 'sessions', row_count: 1 }]);
    const left = await answer(shop.rpc('get_checkout_session', id(session)));
    assert.deepEqual([left.customer_email, left.customer_name, left.title], [null, null, 'Tea']);
});

test('session_funnel answers figures, to POST and to GET', async () => {
    await paid();
    const hour = 3600_000;
    const period = {
        created_after: new Date(Date.now() - hour).toISOString(),
        created_before: new Date(Date.now() + hour).toISOString(),
        bucket: 'month',
    };
    for (const options of [{}, READ_ONLY]) {
        const rows = await answer(shop.rpc('session_funnel', period, options));
        assert.ok(rows.length >= 1 && rows.some((row) => row.completed >= 1), JSON.stringify(rows));
        const by = await answer(shop.rpc('session_funnel', { ...period, by: 'currency' }, options));
        assert.ok(by.every((row) => Object.keys(row.amounts).every((code) => code === row.value)), JSON.stringify(by));
    }
});

test('handle_request answers as a dialect, for whom the key of the request names', async () => {
    const session = await create();
    const lookup = { api: 'lomi', method: 'GET', path: `/checkout-sessions/${session.checkout_session_id}` };
    const found = await answer(shop.rpc('handle_request', lookup));
    assert.equal(found.status, 200);
    assert.equal(found.body.checkout_session_id, session.checkout_session_id);
    const unknown = await answer(otherShop.rpc('handle_request', lookup));
    assert.equal(unknown.status, 404);
    const nobody = await answer(anybody.rpc('handle_request', lookup));
    assert.deepEqual(nobody.body, { statusCode: 401, message: 'Invalid API key' });
});

test('expire_checkout_session expires it, and again changes nothing', async () => {
    const session = await create();
    for (const time of ['first', 'again']) {
        const expired = await answer(shop.rpc('expire_checkout_session', id(session)));
        assert.equal(expired.status, 'expired', time);
    }
});

test('recover_checkout_session makes a new one of an expired one', async () => {
    const session = await create();
    await answer(shop.rpc('expire_checkout_session', id(session)));
    const recovered = await answer(shop.rpc('recover_checkout_session', { ...id(session), expires_in: '10 minutes' }));
    assert.equal(recovered.recovered_from, session.checkout_session_id);
    assert.equal(recovered.status, 'open');
    assert.equal(recovered.customer_id, session.customer_id);
});

test('redirect_url fills in the id', async () => {
    const session = await create();
    const parameters = { url: 'https://example.com/{CHECKOUT_SESSION_ID}', ...id(session) };
    for (const options of [{}, READ_ONLY]) {
        const url = await answer(shop.rpc('redirect_url', parameters, options));
        assert.equal(url, `https://example.com/${session.checkout_session_id}`);
    }
});

test('session_id reads the id of a dialect', async () => {
    const session = await create();
    const written = `cs_${session.checkout_session_id.replaceAll('-', '')}`;
    for (const options of [{}, READ_ONLY]) {
        assert.equal(await answer(shop.rpc('session_id', { id: written }, options)), session.checkout_session_id);
    }
    await refused(shop.rpc('get_checkout_session', { checkout_session_id: written }), 400, '22P02');
});

test('a key can ask for whom it acts', async () => {
    for (const options of [{}, READ_ONLY]) {
        assert.equal(await answer(shop.rpc('current_organization_id', {}, options)), organizations.a);
        assert.equal(await answer(shop.rpc('current_environment', {}, options)), 'live');
    }
    const presented = await answer(anybody.rpc('authenticate', { api_key: keys.publishable }));
    const { organization_id, environment, kind } = presented[0];
    assert.deepEqual([organization_id, environment, kind], [organizations.a, 'live', 'publishable']);
    // Only for that one request.
    await refused(anybody.rpc('current_organization_id'), 403, '28000');
});

test('pre_request by itself does nothing', async () => {
    assert.equal(await answer(anybody.rpc('pre_request'), 204), null);
});

test('the buyer reads a session with its client secret, to POST and to GET', async () => {
    const session = await create({
        title: 'Coffee', customer_email: 'jane@example.com', customer_name: 'Jane', customer_phone: '+1555',
        success_url: 'https://example.com/thanks', metadata: { note: 'private' }, reference: `order ${Math.random()}`,
    });
    const presented = { ...id(session), client_secret: session.client_secret };
    for (const options of [{}, READ_ONLY]) {
        const page = await answer(anybody.rpc('public_checkout_session', presented, options));
        assert.deepEqual([page.title, page.amount, page.status, page.payment_methods],
            ['Coffee', 12.34, 'open', ['bank_transfer', 'payid']]);
        const text = JSON.stringify(page);
        for (const secret of ['jane@example.com', 'Jane', '+1555', 'private', 'thanks', session.customer_id,
            session.reference, session.client_secret, organizations.a]) {
            assert.equal(text.includes(secret), false, secret);
        }
    }
    const wrong = { ...presented, client_secret: `${presented.client_secret}x` };
    await refused(anybody.rpc('public_checkout_session', wrong), 404, 'PT404', /not found, or client_secret is wrong/);
});

test('the buyer changes what a session sells, and completes it if nothing is due', async () => {
    const given = {
        allow_quantity: true, allow_coupon_code: true, require_billing_address: true, amount: undefined, quantity: undefined,
        lines: [{ title: 'Tea', amount: 10, quantity: 2 }, { kind: 'shipping', title: 'By post', amount: 4 }],
    };
    const session = await create(given);
    assert.equal(session.amount, 24);
    const presented = { ...id(session), client_secret: session.client_secret };
    for (const options of [{}, READ_ONLY]) {
        const lines = await answer(shop.rpc('list_session_lines', id(session), options));
        assert.deepEqual(lines.map((line) => [line.title, line.total]), [['Tea', 20], ['By post', 4]]);
    }
    const changed = await answer(anybody.rpc('set_quantity', { ...presented, quantity: 3 }));
    assert.deepEqual([changed.amount, changed.subtotal, changed.lines.length], [34, 30, 2]);
    await refused(anybody.rpc('set_unit_amount', { ...presented, unit_amount: 1, line: 1 }), 409, 'PT409', /has a fixed price/);
    const product = await answer(shop.rpc('create_product', { name: 'Gift' }));
    const price = await answer(shop.rpc('create_price', { product_id: product.product_id, currency_code: 'USD', minimum_amount: 5 }));
    const gift = await create({ amount: undefined, currency_code: undefined, lines: [{ price_id: price.price_id }] });
    const worth = { ...id(gift), client_secret: gift.client_secret, unit_amount: 7.5 };
    assert.equal((await answer(anybody.rpc('set_unit_amount', worth))).amount, 7.5);
    const code = `free-${Math.random().toString(36).slice(2)}`;
    await answer(shop.rpc('create_coupon', { code, percent_off: 100 }));
    const wrong = await answer(anybody.rpc('apply_coupon', { ...presented, code: 'wrong' }));
    assert.deepEqual([wrong.applied, wrong.reason, wrong.session.amount], [false, 'not_applicable', 34]);
    const applied = await answer(anybody.rpc('apply_coupon', { ...presented, code }));
    assert.deepEqual([applied.applied, applied.session.amount], [true, 4]);
    assert.equal((await answer(anybody.rpc('remove_coupon', presented))).amount, 34);
    const address = { line1: '1 Main St', country: 'SN' };
    assert.equal((await answer(anybody.rpc('set_billing_address', { ...presented, address }))).has_billing_address, true);
    await refused(anybody.rpc('complete_free_checkout_session', presented), 409, 'PT409', /has something to pay/);
    const free = await create({ amount: undefined, lines: [{ title: 'Sample', amount: 0 }] });
    const complete = await answer(anybody.rpc('complete_free_checkout_session', { ...id(free), client_secret: free.client_secret }));
    assert.deepEqual([complete.status, complete.payment_status], ['complete', 'no_payment_required']);
});

test('open_checkout_session, cancel_checkout_session, page_policy: the buyer looks, and leaves', async () => {
    const session = await create();
    const presented = { ...id(session), client_secret: session.client_secret };
    const opened = await answer(anybody.rpc('open_checkout_session', presented));
    assert.equal(opened.status, 'open');
    assert.ok(Math.abs(new Date(opened.server_time) - Date.now()) < 60_000);
    const left = await answer(anybody.rpc('cancel_checkout_session', { ...presented, reason_code: 'changed_mind' }));
    assert.deepEqual([left.status, left.can_restart, left.payment_method_urls], ['open', false, {}]);
    await refused(anybody.rpc('cancel_checkout_session', { ...presented, reason_code: 'Two words' }), 400, '22023', /reason_code/);
    const [visit] = await answer(shop.from('session_visits').select('*').eq('checkout_session_id', id(session).checkout_session_id));
    assert.equal(visit.reason_code, 'changed_mind');
    assert.ok(visit.first_opened_at && visit.cancelled_at >= visit.last_opened_at);
    for (const options of [{}, READ_ONLY]) {
        assert.deepEqual(await answer(anybody.rpc('page_policy', id(session), options)), { embedding_origins: [] });
    }
});

test('restart_checkout_session gives a buyer a new session, where the organization allows it', async () => {
    const [session, elsewhere] = [await create(), await create({}, otherShop)];
    const presented = ({ client_secret, ...session }) => ({ ...id(session), client_secret });
    await refused(anybody.rpc('restart_checkout_session', presented(session)), 409, 'PT409', /is open/);
    await answer(shop.rpc('expire_checkout_session', id(session)));
    await answer(otherShop.rpc('expire_checkout_session', id(elsewhere)));
    const again = await answer(anybody.rpc('restart_checkout_session', presented(session)));
    assert.notEqual(again.checkout_session_id, session.checkout_session_id);
    assert.equal((await answer(anybody.rpc('public_checkout_session', presented(again)))).amount, 12.34);
    await refused(anybody.rpc('restart_checkout_session', presented(elsewhere)), 409, 'PT409', /cannot be started again/);
});

test('simulate_public_payment lets the buyer play the provider in the test environment', async () => {
    const simulate = (session, scenario) =>
        anybody.rpc('simulate_public_payment', { ...id(session), client_secret: session.client_secret, scenario });
    const session = await create({}, withKey(keys.test));
    assert.equal((await answer(simulate(session, 'decline:expired_card'))).failure_code, 'expired_card');
    assert.equal((await answer(simulate(session, 'complete'))).status, 'complete');
    await refused(simulate(await create(), 'complete'), 403, 'PT403', /test environment only/);
});

test('a restricted key reads, and changes nothing', async () => {
    const reader = withKey(keys.restricted);
    const session = await create();
    for (const options of [{}, READ_ONLY]) {
        const who = await answer(reader.rpc('current_credential', {}, options));
        assert.deepEqual([who.kind, who.organization_name, who.environment], ['restricted', 'A', 'live']);
        const read = await answer(reader.rpc('get_checkout_session', id(session), options));
        assert.deepEqual([read.amount, read.client_secret, read.url], [12.34, null, null]);
    }
    const [row] = await answer(reader.from('checkout_sessions').select('amount').eq('checkout_session_id', id(session).checkout_session_id));
    assert.equal(row.amount, 12.34);
    await refused(reader.rpc('expire_checkout_session', id(session)), 403, 'PT403', /restricted/);
    await refused(reader.rpc('create_checkout_session', order()), 403, 'PT403', /restricted/);
});

test('a publishable key creates a session, and its client secret reads it', async () => {
    const session = await create({}, browser);
    assert.equal(session.created_by, keys.publishable.slice(0, 20));
    const presented = { ...id(session), client_secret: session.client_secret };
    assert.equal((await answer(browser.rpc('public_checkout_session', presented))).status, 'open');
});

test('a publishable key may do nothing else', async () => {
    const session = await create({}, browser);
    const payment = { ...id(session), payment_id: 'pay' };
    const calls = {
        get_checkout_session: id(session),
        list_checkout_sessions: {},
        expire_checkout_session: id(session),
        recover_checkout_session: id(session),
        begin_payment: payment,
        record_payment: { ...payment, outcome: 'succeeded' },
        list_payments: id(session),
        list_session_lines: id(session),
        set_quantity: { ...id(session), quantity: 2 },
        set_unit_amount: { ...id(session), unit_amount: 2 },
        apply_coupon: { ...id(session), code: 'TEN' },
        remove_coupon: id(session),
        set_billing_address: { ...id(session), address: { country: 'SN' } },
        complete_free_checkout_session: id(session),
        apply_payment: { ...id(session), payment_id: 'pay' },
        record_refund: { payment_id: 'pay', refund_id: 'refund' },
        list_refunds: { payment_id: 'pay' },
        list_webhook_events: {},
        create_webhook_endpoint: { url: 'https://shop.example' },
        list_webhook_endpoints: {},
        update_webhook_endpoint: { webhook_endpoint_id: organizations.a },
        delete_webhook_endpoint: { webhook_endpoint_id: organizations.a },
        roll_webhook_secret: { webhook_endpoint_id: organizations.a },
        create_webhook_consumer: { name: 'jobs' },
        list_webhook_consumers: {},
        delete_webhook_consumer: { name: 'jobs' },
        claim_webhook_events: { consumer: 'jobs' },
        ack_webhook_events: { consumer: 'jobs', event_ids: [], lease_token: organizations.a },
        nack_webhook_event: { consumer: 'jobs', event_id: `evt_${'A'.repeat(48)}bA${'A'.repeat(10)}`, lease_token: organizations.a },
        list_webhook_deliveries: { webhook_endpoint_id: organizations.a },
        list_webhook_attempts: { event_id: `evt_${'A'.repeat(48)}bA${'A'.repeat(10)}` },
        redeliver_webhook_events: { created_after: '2026-01-01' },
        session_funnel: { created_after: '2026-01-01', created_before: '2026-02-01', bucket: 'month' },
        create_product: { name: 'Mug' },
        update_product: { product_id: 'mug' },
        list_products: {},
        adjust_inventory: { product_id: 'mug', change: 1 },
        create_price: { product_id: 'mug', currency_code: 'USD', amount: 1 },
        update_price: { price_id: 'mug-usd' },
        list_prices: { product_id: 'mug' },
        create_coupon: { code: 'TEN', percent_off: 10 },
        update_coupon: { code: 'TEN' },
        list_coupons: {},
        coupon_performance: { created_after: '2026-01-01', created_before: '2026-02-01' },
        get_subscription: { subscription_id: organizations.a },
        list_subscriptions: {},
        cancel_subscription: { subscription_id: organizations.a },
        resume_subscription: { subscription_id: organizations.a },
        export_customer: { customer_id: 'c' },
        erase_customer: { customer_id: 'c' },
    };
    for (const [name, parameters] of Object.entries(calls)) {
        await refused(browser.rpc(name, parameters), 403, 'PT403', /publishable/);
    }
    assert.equal((await answer(shop.rpc('get_checkout_session', id(session)))).status, 'open');
});

test('anybody may call public_checkout_session, and is refused everything else', async () => {
    const session = await create();
    for (const [name, parameters] of Object.entries({
        create_checkout_session: order(),
        get_checkout_session: id(session),
        list_checkout_sessions: {},
        expire_checkout_session: id(session),
        recover_checkout_session: id(session),
        begin_payment: { ...id(session), payment_id: 'pay' },
        record_payment: { ...id(session), payment_id: 'pay', outcome: 'succeeded' },
        list_payments: id(session),
        apply_payment: { ...id(session), payment_id: 'pay' },
        record_refund: { payment_id: 'pay', refund_id: 'refund' },
        list_refunds: { payment_id: 'pay' },
        list_webhook_events: {},
        create_webhook_endpoint: { url: 'https://shop.example' },
        list_webhook_endpoints: {},
        update_webhook_endpoint: { webhook_endpoint_id: organizations.a },
        delete_webhook_endpoint: { webhook_endpoint_id: organizations.a },
        roll_webhook_secret: { webhook_endpoint_id: organizations.a },
        create_webhook_consumer: { name: 'jobs' },
        list_webhook_consumers: {},
        delete_webhook_consumer: { name: 'jobs' },
        claim_webhook_events: { consumer: 'jobs' },
        ack_webhook_events: { consumer: 'jobs', event_ids: [], lease_token: organizations.a },
        nack_webhook_event: { consumer: 'jobs', event_id: `evt_${'A'.repeat(48)}bA${'A'.repeat(10)}`, lease_token: organizations.a },
        list_webhook_deliveries: { webhook_endpoint_id: organizations.a },
        list_webhook_attempts: { event_id: `evt_${'A'.repeat(48)}bA${'A'.repeat(10)}` },
        redeliver_webhook_events: { created_after: '2026-01-01' },
        session_funnel: { created_after: '2026-01-01', created_before: '2026-02-01', bucket: 'month' },
        create_product: { name: 'Mug' },
        update_product: { product_id: 'mug' },
        list_products: {},
        adjust_inventory: { product_id: 'mug', change: 1 },
        create_price: { product_id: 'mug', currency_code: 'USD', amount: 1 },
        update_price: { price_id: 'mug-usd' },
        list_prices: { product_id: 'mug' },
        create_coupon: { code: 'TEN', percent_off: 10 },
        update_coupon: { code: 'TEN' },
        list_coupons: {},
        coupon_performance: { created_after: '2026-01-01', created_before: '2026-02-01' },
        get_subscription: { subscription_id: organizations.a },
        list_subscriptions: {},
        cancel_subscription: { subscription_id: organizations.a },
        resume_subscription: { subscription_id: organizations.a },
        export_customer: { customer_id: 'c' },
        erase_customer: { customer_id: 'c' },
        current_credential: {},
        current_organization_id: {},
        current_environment: {},
    })) {
        await refused(anybody.rpc(name, parameters), 403, '28000');
    }
});
