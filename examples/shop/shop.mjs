// A shop: from the cart to the payment page, the payment provider and the order. Only Node.
// In the environment: PORT, GATEWAY and API_KEY (the gateway's URL, and a secret key), PROVIDER and PROVIDER_SECRET (provider.mjs),
// WEBHOOK_SECRET (of the endpoint, whsec_...).

import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const { PORT, GATEWAY, API_KEY, PROVIDER, PROVIDER_SECRET, WEBHOOK_SECRET } = process.env;
const HERE = `http://127.0.0.1:${PORT}`;
// A real shop has tables of these.
const orders = new Map();
const providerPages = new Map();

/** Calls a function of checkout_sessions. */
async function checkout(name, named, headers = {}) {
    const response = await fetch(`${GATEWAY}/rpc/${name}`, {
        method: 'POST', body: JSON.stringify(named), headers: { 'content-type': 'application/json', 'x-api-key': API_KEY, ...headers },
    });
    const body = await response.json();
    if (!response.ok) throw Object.assign(new Error(`${name}: ${body.message}`), { status: response.status });
    return body;
}

const equal = (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
const signed = (body) => createHmac('sha256', PROVIDER_SECRET).update(body).digest('hex');

/** Standard Webhooks: the id, the time and the body are signed, and nothing older than five minutes is accepted. */
function isGenuine({ 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures = '' }, body) {
    const key = Buffer.from(WEBHOOK_SECRET.replace('whsec_', ''), 'base64');
    const ours = `v1,${createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')}`;
    return Math.abs(Date.now() / 1000 - at) < 300 && signatures.split(' ').some((theirs) => equal(theirs, ours));
}

const page = (text) => [200, { 'content-type': 'text/html; charset=utf-8' }, `<!doctype html><html lang="en"><title>Shop</title>
    <link rel="icon" href="data:,"><main style="font: 1.1rem/1.6 system-ui; max-width: 32rem; margin: 4rem auto">${text}</main></html>`];
const seeOther = (location, headers = {}) => [303, { location, ...headers }];

const routes = {
    'GET /': () => page(`<h1>Green tea</h1><p>XOF 10 000 for 100 g</p><form method="post" action="/buy"><button>Buy</button></form>
        <button id="here">Buy on this page</button><script type="module">
        import { open } from '${GATEWAY}/pages/embed.js';
        document.getElementById('here').addEventListener('click', async () => {
            const { url } = await (await fetch('/buy', { method: 'POST', headers: { accept: 'application/json' } })).json();
            open({ url, onComplete: ({ checkout_session_id: id }) => location.assign('/thanks?session=' + id) });
        });</script>`),

    // The server says what is bought. A repeated request has the key of the order, and makes no second session.
    'POST /buy': async ({ headers }) => {
        const order = randomUUID();
        const session = await checkout('create_checkout_session', {
            lines: [{ price_id: 'tea' }, { kind: 'shipping', title: 'By post', amount: 1500 }], reference: order,
            customer_id: 'c1', allow_quantity: true, success_url: `${HERE}/thanks?session={CHECKOUT_SESSION_ID}`, cancel_url: `${HERE}/`,
        }, { 'idempotency-key': order });
        orders.set(session.checkout_session_id, 'waiting');
        // With this cookie the buyer finds back to the page, whose address nobody else may see.
        const cookie = { 'set-cookie': `page=${encodeURIComponent(session.url)}; Path=/back; HttpOnly; SameSite=Lax` };
        if (headers.accept === 'application/json') return [200, cookie, JSON.stringify({ url: session.url })];
        return seeOther(session.url, cookie);
    },

    // The payment page's button leads here: payment_method_urls says so. The amount is the database's, not the browser's.
    'GET /start': async ({ query }) => {
        const id = query.get('session');
        const { amount, currency_code: currency } = await checkout('get_checkout_session', { checkout_session_id: id });
        const payment = { payment_id: randomUUID(), session: id, amount, currency, callback: `${HERE}/callback`, back: `${HERE}/back` };
        try {
            await checkout('begin_payment', { checkout_session_id: id, payment_id: payment.payment_id, payment_method: 'card' });
        } catch (error) {
            // The buyer has begun already, and comes again.
            if (error.status === 409 && providerPages.has(id)) return seeOther(providerPages.get(id));
            throw error;
        }
        const body = JSON.stringify(payment);
        const created = await fetch(`${PROVIDER}/payments`, { method: 'POST', body, headers: { 'x-signature': signed(body) } });
        const { url } = await created.json();
        providerPages.set(id, url);
        return seeOther(url);
    },

    // What the provider says. A repeated callback changes nothing.
    'POST /callback': async ({ headers, body }) => {
        if (!equal(headers['x-signature'] ?? '', signed(body))) return [400];
        const { session, payment_id, outcome, amount, currency, failure_code } = JSON.parse(body);
        await checkout('record_payment', {
            checkout_session_id: session, payment_id, outcome, amount, currency_code: currency, failure_code, payment_method: 'card',
        });
        return [204];
    },

    // Back to the payment page, which knows how it went.
    'GET /back': ({ headers }) => {
        const url = /(?:^|; )page=([^;]+)/.exec(headers.cookie ?? '')?.[1];
        return url ? seeOther(decodeURIComponent(url)) : seeOther('/');
    },

    // The order is fulfilled by the event, and not by the buyer's coming back: a buyer may close the window.
    'POST /webhooks': ({ headers, body }) => {
        if (!isGenuine(headers, body)) return [400];
        const { type, data } = JSON.parse(body);
        if (type === 'checkout.session.completed') orders.set(data.object.checkout_session_id, 'on its way');
        return [204];
    },

    'GET /thanks': ({ query }) => page(`<h1>Thank you</h1><p id="order">Your order is ${orders.get(query.get('session')) ?? 'unknown'}.</p>`),
};

const server = createServer(async (request, response) => {
    try {
        const { pathname, searchParams } = new URL(request.url, HERE);
        let body = '';
        for await (const chunk of request.setEncoding('utf8')) body += chunk;
        const route = routes[`${request.method} ${pathname}`] ?? (() => [404]);
        const [status, headers, text] = await route({ headers: request.headers, query: searchParams, body });
        response.writeHead(status, headers).end(text);
    } catch (error) {
        console.error(error.message);
        response.writeHead(500).end();
    }
});
server.listen(PORT, '127.0.0.1', () => console.log(`the shop is at ${HERE}`));
