// The reference libraries, on lines of JSON. {headers, body, secret, scheme}: do they verify the message? {id, body,
// secret, scheme}: which signature do they make?

import { createInterface } from 'node:readline';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';

const stripe = new Stripe('sk_test_unused');
const holds = (check) => {
    try {
        check();
        return true;
    } catch {
        return false;
    }
};

for await (const line of createInterface({ input: process.stdin })) {
    const { headers, id, body, secret, scheme } = JSON.parse(line);
    if (headers) {
        console.log(JSON.stringify(holds(() =>
            scheme === 'stripe'
                ? stripe.webhooks.constructEvent(body, headers['stripe-signature'], secret)
                : new Webhook(secret).verify(body, headers))));
    } else if (scheme === 'stripe') {
        const signature = stripe.webhooks.generateTestHeaderString({ payload: body, secret });
        console.log(JSON.stringify({ 'stripe-signature': signature }));
    } else {
        const now = new Date();
        const timestamp = String(Math.floor(now / 1000));
        const signature = new Webhook(secret).sign(id, now, body);
        console.log(JSON.stringify({ 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }));
    }
}
