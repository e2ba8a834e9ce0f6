// Creates, lists, retrieves and expires sessions with the client of Stripe. Arguments: the port, an API key.

import Stripe from 'stripe';

const [port, key] = process.argv.slice(2);
const { checkout } = new Stripe(key, { protocol: 'http', host: '127.0.0.1', port, maxNetworkRetries: 0, telemetry: false });
const created = await checkout.sessions.create({
    amount: 5000, currency: 'ghs', success_url: 'https://shop.example/paid?id={CHECKOUT_SESSION_ID}',
    cancel_url: 'https://shop.example/cart', customer_email: 'ada@example.com', payment_method_types: ['card', 'mobile_money'],
    metadata: { order: '1', 7: 'seven', 'line break': 'a\nb & c=d' }, expires_at: Math.floor(Date.now() / 1000) + 3600,
}, { idempotencyKey: 'order-of-stripe-1' });
const again = await checkout.sessions.retrieve(created.id);
const listed = [];
for await (const session of checkout.sessions.list({ status: 'open', limit: 100 })) listed.push(session.id);
const expired = await checkout.sessions.expire(created.id);
const refused = await checkout.sessions.create({ amount: 'ten', success_url: 'https://a.example', cancel_url: 'https://a.example' })
    .catch((error) => ({ status: error.statusCode, message: error.message }));
console.log(JSON.stringify({ created, again, listed, expired, refused }));
