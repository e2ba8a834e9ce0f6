// Requests to PostgREST or the gateway, with the credential of the person who signed in.

import { Refused, calling, send } from '../shared/http.js';

const STORE = 'checkout-dashboard-credential';
const at = (name) => document.querySelector(`meta[name="${name}"]`).content.replace(/\/$/, '');

/** What a text is: 'restricted' (a key that reads), 'token', 'secret', 'publishable' or 'unknown'. */
export function kindOf(credential) {
    if (/^rk_(live|test)_\S+$/.test(credential)) return 'restricted';
    if (/^sk_/i.test(credential)) return 'secret';
    if (/^pk_/i.test(credential)) return 'publishable';
    if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(credential)) return 'token';
    return 'unknown';
}

// Only for this tab, and only until it is closed.
export const stored = {
    get: () => sessionStorage.getItem(STORE),
    set: (credential) => sessionStorage.setItem(STORE, credential),
    forget: () => sessionStorage.removeItem(STORE),
};

export function address(query) {
    if (query.rpc) return `${at('checkout-rpc')}/${query.rpc}`;
    const parameters = new URLSearchParams(query.where);
    for (const name of ['select', 'order', 'limit', 'offset']) {
        if (query[name] !== undefined) parameters.append(name, query[name]);
    }
    return `${at('checkout-views')}/${query.view}?${parameters}`;
}

export class Api {
    constructor(credential) {
        this.headers = kindOf(credential) === 'token' ? { authorization: `Bearer ${credential}` } : { 'x-api-key': credential };
    }

    /** Sends a query of queries.js. Returns its rows; with `count`, how many there are. */
    async send(query, signal) {
        const { headers, ...request } = query.rpc ? calling(query.named) : {};
        const presented = { ...headers, ...this.headers, ...(query.count && { prefer: 'count=exact' }) };
        const { response, body } = await send(address(query), { ...request, headers: presented, signal });
        if (!response.ok) throw new Refused(response, body ?? undefined);
        if (query.count) return Number(response.headers.get('content-range').split('/')[1]);
        return body;
    }

    /** The only row, or undefined. */
    async one(query, signal) {
        const body = await this.send(query, signal);
        return Array.isArray(body) ? body[0] : body;
    }
}
