// The part of Supabase in front of PostgREST that is needed here: /rest/v1/... is PostgREST's /...
// usage: node gateway.mjs URL-OF-POSTGREST     listens on 127.0.0.1 and a free port

import { createServer, request } from 'node:http';

const PREFIX = '/rest/v1';

const gateway = createServer((incoming, answer) => {
    if (!incoming.url.startsWith(`${PREFIX}/`)) {
        answer.writeHead(404).end();
        return;
    }
    const { method, headers } = incoming;
    const forwarded = request(process.argv[2] + incoming.url.slice(PREFIX.length), { method, headers }, (reply) => {
        answer.writeHead(reply.statusCode, reply.headers);
        reply.pipe(answer);
    });
    forwarded.on('error', () => answer.writeHead(502).end());
    incoming.pipe(forwarded);
});
gateway.listen(0, '127.0.0.1', () => console.log(`Listening on port ${gateway.address().port}`));
