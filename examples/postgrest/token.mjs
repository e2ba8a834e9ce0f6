// Makes a token (JWT, HS256) that PostgREST accepts. In production, the service that signs your users in makes them.
// usage: JWT_SECRET=... node token.mjs '{"role": "member", "organization_id": "..."}'

import { createHmac } from 'node:crypto';

const encode = (bytes) => Buffer.from(bytes).toString('base64url');
const head = encode(JSON.stringify({ alg: 'HS256', typ: 'JWT' }));
const claims = { exp: Math.floor(Date.now() / 1000) + 3600, ...JSON.parse(process.argv[2]) };
const signed = `${head}.${encode(JSON.stringify(claims))}`;
console.log(`${signed}.${encode(createHmac('sha256', process.env.JWT_SECRET).update(signed).digest())}`);
