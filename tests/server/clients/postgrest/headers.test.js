// Idempotency-Key, X-Trace-Id and X-Scenario-Key, as headers.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { answer, client, id, keys, order, refused, shop } from './shop.js';

test('the same session again for the same idempotency key, and a conflict for another body', async () => {
    for (const header of ['Idempotency-Key', 'X-Idempotency-Key']) {
        const careful = client({ 'x-api-key': keys.secret, [header]: randomUUID() });
        const body = order();
        const first = await answer(careful.rpc('create_checkout_session', body));
        const again = await answer(careful.rpc('create_checkout_session', body));
        assert.deepEqual(id(again), id(first));
        assert.deepEqual([first.idempotent_replay, again.idempotent_replay], [false, true]);
        const another = careful.rpc('create_checkout_session', { ...body, amount: 99 });
        await refused(another, 409, 'PT409', /different request/);
    }
});

test('the same idempotency key is another one for another tenant', async () => {
    const key = randomUUID();
    const body = order();
    const sessions = await Promise.all([keys.secret, keys.other, keys.test].map((apiKey) => answer(
        client({ 'x-api-key': apiKey, 'Idempotency-Key': key }).rpc('create_checkout_session', body))));
    assert.equal(new Set(sessions.map((session) => session.checkout_session_id)).size, 3);
});

test('ten tries at once with one idempotency key make one session', async () => {
    const careful = client({ 'x-api-key': keys.secret, 'Idempotency-Key': randomUUID() });
    const body = order();
    const sessions = await Promise.all(
        Array.from({ length: 10 }, () => answer(careful.rpc('create_checkout_session', body))));
    assert.equal(new Set(sessions.map((session) => session.checkout_session_id)).size, 1);
    assert.equal(sessions.filter((session) => !session.idempotent_replay).length, 1);
});

test('X-Trace-Id is kept with the session', async () => {
    const trace_id = `trace ${randomUUID()}`;
    const traced = client({ 'x-api-key': keys.secret, 'X-Trace-Id': trace_id });
    const session = await answer(traced.rpc('create_checkout_session', order()));
    assert.equal(session.trace_id, trace_id);
    assert.equal((await answer(shop.rpc('get_checkout_session', id(session)))).trace_id, trace_id);
    // The argument has precedence over the header, which a proxy may have added.
    const named = await answer(traced.rpc('create_checkout_session', order({ trace_id: 'another' })));
    assert.equal(named.trace_id, 'another');
});

test('X-Scenario-Key says what becomes of a session in the test environment', async () => {
    const asked = (key, scenario) => client({ 'x-api-key': key, 'X-Scenario-Key': scenario })
        .rpc('create_checkout_session', order());
    for (const [scenario, status] of [['complete', 'complete'], ['late', 'expired'], ['fail', 'failed'], ['slow', 'open']]) {
        const session = await answer(asked(keys.test, scenario));
        assert.equal(session.status, status, scenario);
        assert.match(session.client_secret, /^cs_secret_/);
    }
    await refused(asked(keys.test, 'error:429'), 429, 'PT429', /Simulated error/);
    await refused(asked(keys.test, 'nonsense'), 400, '22023', /X-Scenario-Key/);
    await refused(asked(keys.secret, 'complete'), 400, '22023', /test environment only/);
    await refused(asked(keys.publishable, 'complete'), 403, 'PT403', /publishable/);
});
