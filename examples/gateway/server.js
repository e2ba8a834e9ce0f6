// Puts the five documented checkout APIs on the wire: forwards each request to checkout.handle_request, and its answer.
// In the environment: PORT (8080; 0: any that is free), HOST (127.0.0.1), DATABASE_URL or libpq's PGHOST, PGUSER, ...,
// and API: kobo, lomi, paygate, flutterwave or yuno, to serve it alone at its documented paths; else all, below /NAME.

import Fastify from 'fastify';
import pg from 'pg';

// How each API says what went wrong, for what goes wrong before or after the database.
const errors = {
    kobo: (status, message) => ({ status: false, message, data: null }),
    lomi: (status, message) => ({ statusCode: status, message }),
    paygate: (status, message) => ({ error: { type: status < 500 ? 'invalid_request_error' : 'api_error', message } }),
    flutterwave: (status, message) => ({ status: 'failed', message, data: null }),
    yuno: (status, message) => ({ code: status < 500 ? 'INVALID_REQUEST' : 'INTERNAL_ERROR', messages: [message] }),
};

const JSON_TYPE = 'application/json; charset=utf-8';
const { API, DATABASE_URL, HOST = '127.0.0.1', PORT = '8080' } = process.env;
if (API && !Object.hasOwn(errors, API)) throw new Error(`API must be one of ${Object.keys(errors).join(', ')}`);

// Keys are cut down to their names in what is logged, wherever they stand: somebody may have put one into an URL.
const masked = (line) => line.replace(/([sp]k_(?:live|test)_\w{12}|cs_secret_)[\w-]+/g, '$1***');
const app = Fastify({
    logger: { stream: { write: (line) => process.stdout.write(masked(line)) } },
    // What is not percent-encoded well, for example.
    frameworkErrors: (error, request, reply) => refuse(error, request, reply),
});

const pool = new pg.Pool({ connectionString: DATABASE_URL, connectionTimeoutMillis: 5000 });
// A connection that breaks while nobody uses it, as when the server restarts: the pool makes another.
pool.on('error', (error) => app.log.warn(error));
// The body is sent as it is written: parsed, its numbers could change.
const FORWARD = `SELECT status, headers, body::text AS body
    FROM checkout.handle_request(api => $1, method => $2, path => $3, headers => $4, query => $5, body => $6)`;

/** The API that a request is for, and the path that it is documented with. */
function target(request) {
    const path = request.raw.url.split('?', 1)[0];
    if (API) return { api: API, path };
    const [, api, rest] = path.match(/^\/([^/]*)(.*)$/) ?? [];
    return Object.hasOwn(errors, api ?? '') ? { api, path: rest } : {};
}

async function forward(request, reply) {
    const { api, path } = target(request);
    if (!api) return reply.code(404).send({ message: `Cannot ${request.method} ${request.raw.url.split('?', 1)[0]}` });
    const { method, headers, query, body } = request;
    // One statement, so one transaction: when its promise is kept, it is committed.
    const { rows: [answer] } = await pool.query(FORWARD,
        [api, method, path, JSON.stringify(headers), JSON.stringify(query), body || null]);
    return reply.code(answer.status).headers(answer.headers).type(JSON_TYPE).send(answer.body);
}

/** SQLSTATE 22: what is JSON, but not for a database (a NUL); 54: what is nested too deeply. */
const atFault = (error) => (error.severity && /^(22|54)/.test(error.code) ? 400 : (error.statusCode ?? 500));

function refuse(error, request, reply) {
    const status = atFault(error);
    // What the database says of errors is not for strangers, and its details are for nobody: they may quote the body.
    if (error.severity || status >= 500) request.log.error({ code: error.code, stack: error.stack }, error.message);
    const known = status >= 500 ? 'Internal server error' : 'The request cannot be read';
    const body = errors[target(request).api] ?? ((_, message) => ({ message }));
    const text = JSON.stringify(body(status, error.severity || status >= 500 ? known : error.message));
    return reply.code(status).type(JSON_TYPE).send(text);
}

// Any body is taken for JSON, whatever its type, and forwarded as the text that it is.
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, bytes, done) => {
    try {
        const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
        if (text) JSON.parse(text);
        done(null, text);
    } catch {
        done(Object.assign(new Error('The body is no valid JSON'), { statusCode: 400 }));
    }
});
app.all('/*', forward);
app.setNotFoundHandler(forward); // methods that Fastify does not know
app.setErrorHandler(refuse);

app.addHook('onClose', () => pool.end());
// Answers what has been asked, then ends.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => app.close());
await app.listen({ host: HOST, port: Number(PORT) });
