// Checkout sessions through Supabase's client: create, pay, list, the buyer's page, webhook events.
// In the environment: SUPABASE_URL, SUPABASE_ANON_KEY, and the credentials of an organization: SECRET_KEY, an API key,
// and USER_TOKEN, the token of a user whose app_metadata names an organization.

import { createClient } from '@supabase/supabase-js';
import WebSocket from 'ws';

const { SUPABASE_URL, SUPABASE_ANON_KEY, SECRET_KEY, USER_TOKEN } = process.env;

const connect = (options = {}) =>
    createClient(SUPABASE_URL, SUPABASE_ANON_KEY, {
        db: { schema: 'checkout' },
        auth: { persistSession: false },
        realtime: { transport: WebSocket }, // Node before 22 has none of its own
        ...options,
    });

// A server of the shop, with its API key. Keep it out of browsers.
const shop = connect({ global: { headers: { 'x-api-key': SECRET_KEY } } });
// A user who has signed in. In a browser the client knows the token itself.
const user = connect({ accessToken: async () => USER_TOKEN });
// A client without a credential.
const anybody = connect();

// Calls a function, and prints its answer.
async function call(who, client, name, parameters, select) {
    const request = client.rpc(name, parameters);
    const { data, error, status } = await (select ? request.select(select) : request);
    console.log(`${who}: ${name}: ${status}`, JSON.stringify(data ?? error.message));
    return data;
}

// Queries a view, and prints the rows and how many there are.
async function query(who, client, name, columns, refine) {
    const { data, error, status, count } = await refine(client.from(name).select(columns, { count: 'exact' }));
    console.log(`${who}: ${name}: ${status}`, JSON.stringify(data ?? error.message), ...(error ? [] : [`of ${count}`]));
}

const order = { amount: 12.34, currency_code: 'USD', customer_email: 'jane@example.com', title: 'Coffee', metadata: { order_id: 'A-17' } };
const { checkout_session_id, client_secret } = await call(
    'shop', shop, 'create_checkout_session', order, 'checkout_session_id, client_secret, status');

const shown = { checkout_session_id, client_secret };
await call('buyer', anybody, 'public_checkout_session', shown, 'title, amount, status');

const payment = { checkout_session_id, payment_id: `pay_${checkout_session_id}` };
await call('shop', shop, 'begin_payment', payment, 'status');
await call('shop', shop, 'record_payment', { ...payment, outcome: 'succeeded' }, 'status, amount');
await call('shop', shop, 'list_checkout_sessions', { status: 'complete' }, 'status, amount, created_by');
await call('shop', shop, 'list_webhook_events', { checkout_session_id }, 'event_type, status');

await call('user', user, 'create_checkout_session', { ...order, amount: 5 }, 'status, amount, created_by');
await call('user', user, 'list_checkout_sessions', {}, 'status, amount');

await query('shop', shop, 'checkout_sessions', 'status, amount, payments(status)', (sessions) =>
    sessions.eq('metadata->>order_id', 'A-17').eq('status', 'complete').order('created_at', { ascending: false }).range(0, 9));
await query('user', user, 'checkout_sessions', 'status', (sessions) => sessions.order('amount').limit(1));

await query('anybody', anybody, 'checkout_sessions', 'status', (sessions) => sessions);
await call('anybody', anybody, 'list_checkout_sessions');
await call('anybody', anybody, 'create_checkout_session', order);
await call('user', user, 'list_organizations');
