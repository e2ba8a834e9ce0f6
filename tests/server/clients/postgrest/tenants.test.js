// No request ever sees another tenant's sessions, however requests follow each other over the same connections.

import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, anybody, client, create, id, keys, organizations, otherShop, refused, shop, withKey } from './shop.js';

const shopInTest = withKey(keys.test);

test('a session is not found by another tenant, nor in the other environment', async () => {
    const session = await create();
    const { checkout_session_id } = session;
    const payment = { checkout_session_id, payment_id: 'pay_of_another' };
    await answer(shop.rpc('create_product', { name: 'Mug', product_id: 'product_of_another', on_hand: 1 }));
    await answer(shop.rpc('create_price',
        { product_id: 'product_of_another', currency_code: 'USD', amount: 1, price_id: 'price_of_another' }));
    await answer(shop.rpc('create_coupon', { code: 'COUPON_OF_ANOTHER', percent_off: 1 }));
    for (const other of [otherShop, shopInTest]) {
        for (const [name, parameters] of Object.entries({
            get_checkout_session: { checkout_session_id },
            expire_checkout_session: { checkout_session_id },
            recover_checkout_session: { checkout_session_id },
            begin_payment: payment,
            record_payment: { ...payment, outcome: 'succeeded' },
            list_payments: { checkout_session_id },
            apply_payment: payment,
            record_refund: { payment_id: 'pay_of_another', refund_id: 'refund' },
            list_refunds: { payment_id: 'pay_of_another' },
            update_product: { product_id: 'product_of_another' },
            adjust_inventory: { product_id: 'product_of_another', change: 1 },
            create_price: { product_id: 'product_of_another', currency_code: 'USD', amount: 1 },
            list_prices: { product_id: 'product_of_another' },
            update_price: { price_id: 'price_of_another' },
            update_coupon: { code: 'COUPON_OF_ANOTHER' },
            list_webhook_events: { checkout_session_id },
            list_checkout_sessions: { starting_after: checkout_session_id },
        })) {
            await refused(other.rpc(name, parameters), 404, 'PT404');
        }
        assert.deepEqual(await answer(other.rpc('list_checkout_sessions', { customer_id: session.customer_id })), []);
    }
    assert.equal((await answer(shop.rpc('get_checkout_session', id(session)))).status, 'open');
});

test('an unknown session and one of another tenant are the same answer', async () => {
    const session = await create();
    const unknown = session.checkout_session_id.replace(/.{12}$/, '000000000000');
    const [theirs, nobodys] = await Promise.all([session.checkout_session_id, unknown].map(
        (checkout_session_id) => otherShop.rpc('get_checkout_session', { checkout_session_id })));
    const shape = ({ error, status }, of) => JSON.stringify([error, status]).replaceAll(of, 'ID');
    assert.equal(shape(theirs, session.checkout_session_id), shape(nobodys, unknown));
});

test('40 requests at once, with keys in turn, never mix tenants', async () => {
    const tenants = [
        [shop, organizations.a, 'live'], [otherShop, organizations.b, 'live'], [shopInTest, organizations.a, 'test'],
        [anybody, null],
    ];
    const requests = Array.from({ length: 40 }, async (_, at) => {
        const [who, organization_id, environment] = tenants[at % tenants.length];
        if (!organization_id) return refused(who.rpc('current_organization_id'), 403, '28000');
        const session = await create({ customer_id: `parallel ${at}` }, who);
        assert.deepEqual([session.organization_id, session.environment], [organization_id, environment]);
        const list = await answer(who.rpc('list_checkout_sessions', { page_size: 100 }));
        assert.ok(list.some((one) => one.checkout_session_id === session.checkout_session_id));
        for (const one of list) {
            assert.deepEqual([one.organization_id, one.environment], [organization_id, environment]);
        }
    });
    await Promise.all(requests);
});

test('a connection that has served a key knows nothing of it in the next request', async () => {
    for (let round = 0; round < 10; round += 1) {
        await answer(shop.rpc('current_organization_id'));
        // A failed request leaves nothing behind either.
        await refused(shop.rpc('list_checkout_sessions', { page_size: 0 }), 400, '22023');
        const nobody = () => refused(anybody.rpc('list_checkout_sessions'), 403, '28000');
        await Promise.all([nobody(), nobody(), nobody(), nobody()]);
    }
});

test('keys that contradict each other are refused', async () => {
    const authenticate = otherShop.rpc('authenticate', { api_key: keys.secret });
    await refused(authenticate, 403, '28000', /another tenant/);
});

test('no header but a credential names a tenant', async () => {
    const forged = client({
        'x-organization-id': organizations.a,
        'checkout_sessions.organization_id': organizations.a,
        'request.jwt.claims': JSON.stringify({ organization_id: organizations.a }),
    });
    await refused(forged.rpc('list_checkout_sessions'), 403, '28000');
});
