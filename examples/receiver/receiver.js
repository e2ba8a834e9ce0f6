// Receives the webhooks of checkout_sessions, and acts once on each genuine one.
// In the environment: SECRET (the endpoint's, whsec_...; or two, separated by a space, of which either is accepted),
// SCHEME (its signature_scheme: standard, or stripe), PORT (8080; 0: any free port). The first line of its output is
// its URL.

import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';

const { SECRET = '', SCHEME = 'standard', PORT = '8080' } = process.env;
const LIMIT = 256 * 1024;
const REMEMBERED = 10_000;

// Each returns the event, or throws if the signature does not match the secret, or is older than five minutes.
const verifiers = {
    standard: (secret) => {
        const webhook = new Webhook(secret);
        return (body, headers) => webhook.verify(body, headers);
    },
    stripe: (secret) => (body, headers) => Stripe.webhooks.constructEvent(body, headers['stripe-signature'], secret),
};
const secrets = SECRET.split(' ').filter(Boolean);
if (!secrets.length || secrets.some((secret) => !/^whsec_./.test(secret))) throw new Error('SECRET must be whsec_...');
if (!Object.hasOwn(verifiers, SCHEME)) throw new Error('SCHEME must be standard or stripe');
const checks = secrets.map(verifiers[SCHEME]);

/** The event that a request brings, or null. */
function verify(body, headers) {
    const reasons = new Set();
    for (const check of checks) {
        try {
            return check(body, headers);
        } catch (error) {
            reasons.add(error.message.split('\n', 1)[0]);
        }
    }
    console.error(`refused: ${[...reasons].join('; ')}`);
    return null;
}

/** The body to the byte, for that is what is signed: parsed and written again, it would be another. null: too long. */
async function rawBody(request) {
    const chunks = [];
    let length = 0;
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
        if ((length += chunk.length) > LIMIT) return null;
        chunks.push(chunk);
    }
    return Buffer.concat(chunks);
}

// The ids of the received events. Here they are lost with the process. A real shop has a table of them, and inserts the
// id in the transaction that fulfils the order: both are done, or neither is, however often an event comes.
const seen = new Set();

/** What a shop does about an event. If it takes long, store the event before it is answered: it will not come again. */
function act({ type, data }) {
    const object = data?.object ?? {};
    console.log(type, object.status ?? '-', object.checkout_session_id ?? object.id ?? '-');
}

async function receive(request, response) {
    const answer = (status, headers) => response.writeHead(status, headers).end();
    if (request.method !== 'POST') return answer(405, { allow: 'POST' });
    const body = await rawBody(request);
    if (!body) return answer(413, { connection: 'close' });
    const event = verify(body, request.headers);
    if (!event) return answer(400);
    answer(204);
    // The same as the header webhook-id. A signature of the scheme stripe does not cover that header, but it covers
    // this id.
    if (seen.has(event.id)) return;
    seen.add(event.id);
    if (seen.size > REMEMBERED) seen.delete(seen.values().next().value);
    setImmediate(act, event);
}

const server = createServer((request, response) => receive(request, response).catch((error) => {
    console.error(`broken off: ${error.message}`);
    response.destroy();
}));
server.requestTimeout = 15_000;
server.listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.close());
