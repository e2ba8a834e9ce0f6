// The views, by the habits of PostgREST's client: filters, orders, pages and counts are about all sessions.
// The organization of keys.views has 259 sessions, made by tests/server/test_postgrest.py: session n of amount n and
// metadata {"order_id": "seed-n"}. Session 1 is complete, with the payment seed-pay and two refunds; 2 has expired.

import assert from 'node:assert/strict';
import test from 'node:test';
import { anybody, answer, browser, client, keys, otherShop, refused, shop, withKey } from './shop.js';

const seeds = withKey(keys.views);
const sessions = (columns = '*', options = {}) => seeds.from('checkout_sessions').select(columns, options);
const amounts = async (request) => (await answer(request)).map((row) => row.amount);
const views = ['checkout_sessions', 'open_checkout_sessions', 'payments', 'refunds', 'webhook_events', 'webhook_deliveries',
    'webhook_attempts', 'webhook_endpoints', 'products', 'prices', 'coupons', 'inventory', 'inventory_changes',
    'session_visits', 'subscriptions', 'session_periods', 'hook_failures', 'request_failures'];
// Of these the organization has none.
const empty = ['webhook_attempts', 'products', 'prices', 'coupons', 'inventory', 'inventory_changes', 'session_visits',
    'subscriptions', 'session_periods', 'hook_failures', 'request_failures'];

test('a row of a view is a session without its secret', async () => {
    const session = await answer(sessions().eq('amount', 7).single());
    assert.deepEqual([session.status, session.payment_status, session.metadata], ['open', 'unpaid', { order_id: 'seed-7' }]);
    const { url, client_secret, idempotent_replay, ...same } = await answer(
        seeds.rpc('get_checkout_session', { checkout_session_id: session.checkout_session_id }));
    assert.deepEqual(session, same);
});

test('filters find what is on no first page', async () => {
    assert.deepEqual(await amounts(sessions('amount').eq('metadata->>order_id', 'seed-5')), [5]);
    assert.deepEqual(await amounts(sessions('amount').contains('metadata', { order_id: 'seed-6' })), [6]);
    assert.deepEqual(await amounts(sessions('amount').eq('status', 'complete')), [1]);
    assert.deepEqual(await amounts(sessions('amount').eq('status', 'expired')), [2]);
    assert.deepEqual(await amounts(sessions('amount').or('amount.eq.3,status.eq.complete').order('amount')), [1, 3]);
    assert.deepEqual(await amounts(sessions('amount').in('amount', [4, 250]).order('amount')), [4, 250]);
    assert.deepEqual(await amounts(sessions('amount').like('customer_id', 'seed-10_').order('amount').limit(2)), [100, 101]);
    const open = seeds.from('open_checkout_sessions').select('amount').lt('amount', 5).order('amount');
    assert.deepEqual(await amounts(open), [3, 4]);
});

test('the order and the limit are those of the request', async () => {
    assert.deepEqual(await amounts(sessions('amount').order('amount').limit(1)), [1]);
    assert.deepEqual(await amounts(sessions('amount').order('amount', { ascending: false }).limit(1)), [259]);
    assert.deepEqual(await amounts(sessions('amount').order('created_at', { ascending: false }).limit(2)), [259, 258]);
    assert.equal((await answer(sessions('amount').limit(200))).length, 200);
});

test('a range is a page, and a count counts all', async () => {
    const page = sessions('amount', { count: 'exact' }).order('checkout_session_id').range(40, 49);
    const { data, count, status } = await page;
    assert.deepEqual([status, count, data.map((row) => row.amount)], [206, 259, [41, 42, 43, 44, 45, 46, 47, 48, 49, 50]]);
    const { count: open } = await sessions('*', { count: 'exact', head: true }).eq('status', 'open');
    assert.equal(open, 257);
});

test('sessions are embedded with their payments, refunds and events', async () => {
    const session = await answer(sessions('amount, payments(payment_id, refunds(amount)), webhook_events(event_type)')
        .eq('status', 'complete').single());
    assert.deepEqual(session, {
        amount: 1,
        payments: [{ payment_id: 'seed-pay', refunds: [{ amount: 0.25 }, { amount: 0.5 }] }],
        webhook_events: [{ event_type: 'checkout.session.completed' }, { event_type: 'checkout.session.refunded' }],
    });
    const paid = await answer(sessions('amount, payments!inner(status)').eq('payments.status', 'succeeded'));
    assert.deepEqual(paid, [{ amount: 1, payments: [{ status: 'succeeded' }] }]);
    const payments = seeds.from('payments').select('payment_id, checkout_session(amount, customer_id)');
    assert.deepEqual(await answer(payments.eq('payment_id', 'seed-pay')),
        [{ payment_id: 'seed-pay', checkout_session: { amount: 1, customer_id: 'seed-1' } }]);
    const refunds = seeds.from('refunds').select('amount, payment(payment_id)').order('amount').limit(1).single();
    assert.deepEqual(await answer(refunds), { amount: 0.25, payment: { payment_id: 'seed-pay' } });
    const events = seeds.from('webhook_events').select('event_type, webhook_deliveries(status, webhook_attempts(error))')
        .eq('event_type', 'checkout.session.completed');
    assert.deepEqual(await answer(events),
        [{ event_type: 'checkout.session.completed', webhook_deliveries: [{ status: 'pending', webhook_attempts: [] }] }]);
});

test('a session is read in CSV', async () => {
    const csv = await answer(sessions('amount,customer_id,title').order('amount').limit(2).csv());
    assert.equal(csv, 'amount,customer_id,title\n1.00,seed-1,"a ""b"", c"\n2.00,seed-2,');
});

test('every view answers its organization only, and the refusals of the functions', async () => {
    for (const view of views) {
        const found = await answer(seeds.from(view).select('*').limit(300));
        assert.ok(empty.includes(view) ? found.length === 0 : found.length > 0, view);
        const others = await answer(otherShop.from(view).select('*'));
        assert.ok(others.every((row) => row.organization_id !== found[0]?.organization_id), view);
        await refused(browser.from(view).select('*'), 403, 'PT403', /publishable/);
        await refused(anybody.from(view).select('*'), 403, '28000', /no organization is set/);
        await refused(client({ 'x-api-key': keys.views + 'x' }).from(view).select('*'), 401, 'PT401', /invalid API key/);
        for (const count of ['exact', 'planned', 'estimated']) {
            // A HEAD has no body.
            const { status } = await browser.from(view).select('*', { count, head: true });
            assert.equal(status, 403, `${view} ${count}`);
        }
    }
});

test('nothing is written through a view', async () => {
    for (const view of views) {
        for (const [method, request] of Object.entries({
            insert: shop.from(view).insert({ environment: 'test' }),
            update: shop.from(view).update({ environment: 'test' }).eq('environment', 'live'),
            delete: shop.from(view).delete().eq('environment', 'live'),
        })) {
            const { error } = await request;
            assert.match(error?.message ?? 'done', /^cannot (insert into|update|delete from) view/, `${view} ${method}`);
        }
    }
});
