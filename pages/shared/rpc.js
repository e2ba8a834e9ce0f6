// Calls of the database's functions over HTTP: of the gateway, or of PostgREST.

import { Refused, Unreachable, calling, send } from './http.js';

const TIMEOUT = 15_000;
// Sums have more digits than a JavaScript number keeps, so that they stay texts.
const SUMS = /amount$|^subtotal$|^discount$|^total$/;

// The database ends, has no room or is gone: PostgREST may answer such a failure of its connection with 400.
const ENDS = /^$|^(08|53|57)/;

const isTrouble = ({ ok, status }, body) =>
    status >= 500 || status === 408 || status === 429 || body === undefined || (!ok && (body === null || ENDS.test(body.code)));

const sumsAsTexts = (key, value, context) =>
    (typeof value === 'number' && SUMS.test(key) ? context?.source ?? String(value) : value);

export class Rpc {
    constructor(base) {
        this.base = base.replace(/\/$/, '');
    }

    async call(name, named) {
        const request = { ...calling(named), credentials: 'omit', signal: AbortSignal.timeout(TIMEOUT) };
        const { response, body } = await send(`${this.base}/${name}`, request, sumsAsTexts);
        if (isTrouble(response, body)) {
            throw new Unreachable(`HTTP status ${response.status}`, Number(response.headers.get('retry-after')) || undefined);
        }
        if (!response.ok) throw new Refused(response, body);
        return body;
    }
}

/** The server that a page names in its <meta name="checkout-rpc">. */
export const rpcOfPage = () => new Rpc(document.querySelector('meta[name="checkout-rpc"]').content);
