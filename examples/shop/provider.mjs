// A stand-in for a payment provider, with a page of its own and signed callbacks. In the environment: PORT and PROVIDER_SECRET.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const { PORT, PROVIDER_SECRET } = process.env;
const HERE = `http://127.0.0.1:${PORT}`;
const payments = new Map();
const signed = (body) => createHmac('sha256', PROVIDER_SECRET).update(body).digest('hex');
const OUTCOMES = { pay: { outcome: 'succeeded' }, decline: { outcome: 'failed', failure_code: 'card_declined' } };

async function answer(method, path, headers, body) {
    if (method === 'POST' && path === '/payments') {
        const theirs = Buffer.from(headers['x-signature'] ?? ''), ours = Buffer.from(signed(body));
        if (theirs.length !== ours.length || !timingSafeEqual(theirs, ours)) return [400];
        const payment = JSON.parse(body);
        payments.set(payment.payment_id, payment);
        return [201, {}, JSON.stringify({ url: `${HERE}/payments/${payment.payment_id}` })];
    }
    const payment = payments.get(path.replace('/payments/', ''));
    if (!payment) return [404];
    const { payment_id, session, amount, currency } = payment;
    if (method === 'GET') {
        return [200, { 'content-type': 'text/html' }, `<!doctype html><html lang="en"><title>Card payment</title><link rel="icon" href="data:,">
            <form method="post" style="font: 1.1rem/1.6 system-ui; max-width: 24rem; margin: 4rem auto"><h1>${currency} ${Number(amount)}</h1>
            <button name="outcome" value="pay">Pay by card</button> <button name="outcome" value="decline">Decline</button></form></html>`];
    }
    const outcome = OUTCOMES[new URLSearchParams(body).get('outcome')];
    if (!outcome) return [400];
    const told = JSON.stringify({ payment_id, session, amount, currency, ...outcome });
    await fetch(payment.callback, { method: 'POST', body: told, headers: { 'x-signature': signed(told) } });
    return [303, { location: payment.back }];
}

createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const [status, headers, text] = await answer(request.method, request.url, request.headers, body).catch((error) => {
        console.error(error.message);
        return [500];
    });
    response.writeHead(status, headers).end(text);
}).listen(PORT, '127.0.0.1', () => console.log(`the provider is at ${HERE}`));
