// Serves the payment page, and passes /rpc to PostgREST: what the gateway or nginx does, see docs/pages.md.
// In the environment: PORT, POSTGREST, PAGES (the folder).

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';

const { PORT, POSTGREST, PAGES } = process.env;
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const HEADERS = {
    'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff', 'x-robots-tag': 'noindex', 'cache-control': 'no-store',
    'permissions-policy': 'payment=(self)',
};
const policy = (ancestors) => `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; connect-src 'self'; `
    + `base-uri 'none'; form-action 'none'; frame-ancestors ${ancestors.join(' ') || "'none'"}`;

const rpc = (name, body) => fetch(`${POSTGREST}/rpc/${name}`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });

async function answer({ method, url }, body) {
    const { pathname } = new URL(url, 'http://host');
    if (method === 'POST' && pathname.startsWith('/rpc/')) {
        const response = await rpc(pathname.slice(5), body);
        return [response.status, { 'content-type': 'application/json' }, await response.text()];
    }
    const [, id] = /^\/pay\/([0-9a-f-]{36})$/.exec(pathname) ?? [];
    const file = id ? 'pay.html' : normalize(pathname).replace(/^\/pages\//, '');
    if (method !== 'GET' || !TYPES[extname(file)]) return [404, {}];
    const { embedding_origins: ancestors = [] } = id ? await (await rpc('page_policy', JSON.stringify({ checkout_session_id: id }))).json() : {};
    const headers = { 'content-type': TYPES[extname(file)], 'content-security-policy': policy(ancestors) };
    // The shop's page takes the module from here.
    if (file === 'embed.js') headers['access-control-allow-origin'] = '*';
    return [200, headers, await readFile(join(PAGES, file))];
}

createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const [status, headers, text] = await answer(request, body).catch(({ code }) => [code === 'ENOENT' ? 404 : 503, {}]);
    response.writeHead(status, { ...HEADERS, ...headers }).end(text);
}).listen(PORT, '127.0.0.1', () => console.log(`the pages are at http://127.0.0.1:${PORT}`));
