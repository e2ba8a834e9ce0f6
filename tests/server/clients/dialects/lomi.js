// The example of lomi's document, unchanged except for its types, with the real axios.
// usage: node lomi.js EXAMPLE URL KEY SESSION     writes the results of its three functions

import { readFileSync } from 'node:fs';
import axios from 'axios';

const [example, url, key, session] = process.argv.slice(2);
const source = readFileSync(example, 'utf8')
    .replace("import axios from 'axios';", '')
    .replaceAll(/\??: string\)/g, ')')
    .replace('your-api-key', key)
    .replace('https://api.lomi.africa', url);
const names = 'createCheckoutSession, listCheckoutSessions, getCheckoutSession';
const documented = new Function('axios', `${source}; return { ${names} };`)(axios);

console.log(JSON.stringify({
    created: await documented.createCheckoutSession(),
    listed: await documented.listCheckoutSessions('open'),
    all: await documented.listCheckoutSessions(),
    got: await documented.getCheckoutSession(session),
}));
