// A shop with the two handlers of PayGate's document, unchanged, in the real Express.
// usage: node shop.js EXAMPLE URL KEY     writes its port when it listens

import { readFileSync } from 'node:fs';
import express from 'express';

const [example, url, key] = process.argv.slice(2);

async function call(method, path, body) {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const response = await fetch(`${url}/v1/checkout/sessions${path}`, { method, headers, body: JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error.message);
    return answer;
}

/** PayGate's client, as far as the example uses it. */
const paygate = {
    checkout: {
        sessions: {
            create: (parameters) => call('POST', '', parameters),
            retrieve: (id) => call('GET', `/${encodeURIComponent(id)}`),
        },
    },
};

const app = express();
app.use(express.json());
new Function('app', 'paygate', readFileSync(example, 'utf8'))(app, paygate);
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
