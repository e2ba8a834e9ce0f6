// Shared by the tests. tests/server/test_postgrest.py gives the server's URL and the credentials in the environment.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { PostgrestClient } from '@supabase/postgrest-js';

export const { url, keys, organizations } = JSON.parse(process.env.CHECKOUT);

/** PostgREST's own client, with headers that every request carries. */
export const client = (headers = {}) => new PostgrestClient(url, { schema: 'checkout', headers });
export const withKey = (key) => client({ 'x-api-key': key });

export const anybody = client();
export const shop = withKey(keys.secret); // a secret key of organization A, live
export const browser = withKey(keys.publishable); // a publishable key of the same
export const members = withKey(keys.members); // a secret key of an organization that uses the catalog
export const otherShop = withKey(keys.other); // a secret key of organization B

/** The data of an answer, which has to be a good one. */
export async function answer(request, status = 200) {
    const reply = await request;
    assert.equal(reply.error, null);
    assert.equal(reply.status, status);
    return reply.data;
}

/** An answer has to be this error, as JSON. */
export async function refused(request, status, code, message = /./) {
    const { data, error, status: given } = await request;
    assert.deepEqual({ data, code: error?.code, status: given }, { data: null, code, status });
    assert.match(error.message, message);
}

export const order = (more = {}) => ({ amount: 12.34, currency_code: 'USD', customer_id: randomUUID(), ...more });
export const create = (more, by = shop) => answer(by.rpc('create_checkout_session', order(more)));
export const id = (session) => ({ checkout_session_id: session.checkout_session_id });

/** A session that somebody has paid, and the payment. */
export async function paid(by = shop) {
    const session = await create({}, by);
    const payment = { ...id(session), payment_id: randomUUID(), outcome: 'succeeded' };
    return { session, payment: await answer(by.rpc('record_payment', payment)) };
}
