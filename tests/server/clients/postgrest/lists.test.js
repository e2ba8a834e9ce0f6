// PostgREST's own select, order, filters, pages and counts, on the results of our functions.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test, { before } from 'node:test';
import { answer, create, id, order, refused, shop } from './shop.js';

const customer_id = randomUUID();
const amounts = [5, 10, 15, 20, 25];

before(async () => {
    for (const amount of amounts) await create({ amount, customer_id, metadata: { basket: { items: amount / 5 } } });
});

const list = (options = {}, parameters = {}) =>
    shop.rpc('list_checkout_sessions', { customer_id, ...parameters }, options);
const amountsOf = (rows) => rows.map((row) => row.amount);

/** A check in both ways of asking: POST and GET. */
const inBothWays = (check) => async (context) => {
    for (const options of [{ get: false }, { get: true }]) {
        await context.test(JSON.stringify(options), () => check(options));
    }
};

test('select names the columns, in JSON too', inBothWays(async (options) => {
    const rows = await answer(list(options).select('amount, state:status, items:metadata->basket->items'));
    assert.deepEqual(rows[0], { amount: 25, state: 'open', items: 5 });
    assert.equal(rows.length, amounts.length);
}));

test('order goes before newest first', inBothWays(async (options) => {
    assert.deepEqual(amountsOf(await answer(list(options))), [25, 20, 15, 10, 5]);
    assert.deepEqual(amountsOf(await answer(list(options).select('amount').order('amount'))), amounts);
}));

test('filters narrow the list', inBothWays(async (options) => {
    const above = list(options).select('amount').gt('amount', 10).order('amount');
    assert.deepEqual(amountsOf(await answer(above)), [15, 20, 25]);
    assert.deepEqual(amountsOf(await answer(list(options).in('amount', [5, 25]))), [25, 5]);
    assert.deepEqual(await answer(list(options).eq('status', 'complete')), []);
    assert.equal((await answer(list(options).eq('status', 'open'))).length, amounts.length);
}));

test('limit and offset make pages', inBothWays(async (options) => {
    const page = list(options).select('amount').order('amount').range(1, 2);
    assert.deepEqual(amountsOf(await answer(page)), [10, 15]);
}));

test('count=exact counts what the filters leave', inBothWays(async (options) => {
    const { count, data, status } = await list({ ...options, count: 'exact' }).gt('amount', 10).limit(1);
    assert.deepEqual([count, data.length, status], [3, 1, 206]);
}));

test('single is an object, and an error where there are more', inBothWays(async (options) => {
    const one = await answer(list(options).select('amount').eq('amount', 15).single());
    assert.deepEqual(one, { amount: 15 });
    await refused(list(options).single(), 406, 'PGRST116');
    assert.equal(await answer(list(options).eq('amount', 7).maybeSingle()), null);
}));

test('HEAD counts without a body', async () => {
    const { count, data } = await list({ head: true, count: 'exact' });
    assert.deepEqual([count, data], [amounts.length, null]);
});

test('the function has pages of its own, with a cursor', async () => {
    const seen = [];
    let cursor = {};
    for (;;) {
        const page = await answer(list({}, { page_size: 2, ...cursor }));
        if (page.length === 0) break;
        seen.push(...amountsOf(page));
        cursor = { starting_after: page.at(-1).checkout_session_id };
    }
    assert.deepEqual(seen, [25, 20, 15, 10, 5]);
});

test('payments and events can be selected and filtered, too', async () => {
    const session = await create();
    for (const outcome of ['failed', 'succeeded']) {
        await answer(shop.rpc('record_payment', { ...id(session), payment_id: `${outcome} ${randomUUID()}`, outcome }));
    }
    const failed = await answer(shop.rpc('list_payments', id(session)).select('status').eq('status', 'failed'));
    assert.deepEqual(failed, [{ status: 'failed' }]);
    const events = shop.rpc('list_webhook_events', id(session)).select('event_type');
    const completed = await answer(events.like('event_type', '%.completed'));
    assert.deepEqual(completed, [{ event_type: 'checkout.session.completed' }]);
});

test('a column or an argument that a function does not have is an error of the caller', async () => {
    await refused(list().select('secret'), 400, '42703');
    await refused(shop.rpc('create_checkout_session', order({ nonsense: 1 })), 404, 'PGRST202');
});
