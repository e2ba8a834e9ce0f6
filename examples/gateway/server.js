// Serves the five dialects over HTTP: forwards each request to checkout.handle_request, and returns its answer.
// In the environment: PORT (8080; 0: any free port), HOST (127.0.0.1), DATABASE_URL or libpq's PGHOST, PGUSER, ..., and
// API: kobo, lomi, paygate, flutterwave or yuno, to serve one dialect at its documented paths; otherwise all, below
// /NAME.

import { randomUUID } from 'node:crypto';

import Fastify from 'fastify';
import pg from 'pg';

const DIALECTS = ['kobo', 'lomi', 'paygate', 'flutterwave', 'yuno'];
const JSON_TYPE = 'application/json; charset=utf-8';
const { API, DATABASE_URL, HOST = '127.0.0.1', PORT = '8080' } = process.env;
if (API && !DIALECTS.includes(API)) throw new Error(`API must be one of ${DIALECTS.join(', ')}`);

// In the log, keys are cut down to their names, wherever they are: a client may have put one into a URL.
const masked = (line) => line.replace(/([sp]k_(?:live|test)_\w{12}|cs_secret_)[\w-]+/g, '$1***');
const app = Fastify({
    // The id of a request is in this log, in the answer, and in the log of the database.
    requestIdHeader: 'x-request-id',
    genReqId: () => randomUUID(),
    logger: { stream: { write: (line) => process.stdout.write(masked(line)) } },
    // A wrong percent-encoding, for example.
    frameworkErrors: (error, request, reply) => refuse(error, request, reply),
});

const pool = new pg.Pool({ connectionString: DATABASE_URL, connectionTimeoutMillis: 5000 });
// A connection may break while it is idle, for example when the server restarts: the pool makes another.
pool.on('error', (error) => app.log.warn(error));
// The body is sent as it was written: if it were parsed, its numbers could change.
const FORWARD = `SELECT status, headers, body::text AS body
    FROM checkout.handle_request(api => $1, method => $2, path => $3, headers => $4, query => $5, body => $6)`;

/** The dialect that a request is for, and the path that it is documented with. */
function target(request) {
    const path = request.raw.url.split('?', 1)[0];
    if (API) return { api: API, path };
    const [, api, rest] = path.match(/^\/([^/]*)(.*)$/) ?? [];
    return DIALECTS.includes(api) ? { api, path: rest } : {};
}

async function forward(request, reply) {
    const { api, path } = target(request);
    reply.header('x-request-id', request.id);
    if (!api) return reply.code(404).send({ message: `Cannot ${request.method} ${request.raw.url.split('?', 1)[0]}` });
    const { method, query, body } = request;
    const headers = { ...request.headers, 'x-request-id': request.id };
    // One statement, so one transaction: when its promise is fulfilled, it is committed.
    const { rows: [answer] } = await pool.query(FORWARD,
        [api, method, path, JSON.stringify(headers), JSON.stringify(query), body || null]);
    reply.code(answer.status).headers(answer.headers);
    return answer.body === null ? reply.send() : reply.type(JSON_TYPE).send(answer.body);
}

/** What does not reach a dialect, or fails behind it: its details are for the log alone, they may quote the body. */
function refuse(error, request, reply) {
    const status = error.severity ? 500 : (error.statusCode ?? 500);
    if (status >= 500) request.log.error({ code: error.code, stack: error.stack }, error.message);
    const message = status >= 500 ? 'Internal server error' : error.message;
    return reply.code(status).header('x-request-id', request.id).type(JSON_TYPE).send(JSON.stringify({ message }));
}

// Every body counts as JSON, whatever its type, and is forwarded as text. Bytes that are not text are not JSON either:
// their replacement characters make the dialect say so.
const NO_TEXT = '\ufffd';
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, bytes, done) => {
    try {
        const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
        done(null, text.includes('\0') ? NO_TEXT : text);
    } catch {
        done(null, NO_TEXT);
    }
});
app.all('/*', forward);
app.setNotFoundHandler(forward); // methods that Fastify does not know
app.setErrorHandler(refuse);

app.addHook('onClose', () => pool.end());
// Answers the open requests, then ends.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => app.close());
await app.listen({ host: HOST, port: Number(PORT) });
