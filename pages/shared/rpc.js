// Calls of the database's functions over HTTP: of the gateway, or of PostgREST.

const TIMEOUT = 15_000;
// Sums have more digits than a JavaScript number keeps, so that they stay texts.
const SUMS = /amount$|^subtotal$|^discount$|^total$/;

/** The server's answer is an error: code is the SQLSTATE, as in docs/errors.md. */
export class Refused extends Error {
    constructor(status, { code, message, hint } = {}) {
        super(message ?? `HTTP status ${status}`);
        Object.assign(this, { status, code, hint });
    }
}

/** There is no answer, or one that says nothing about the request: try again later. */
export class Unreachable extends Error {
    constructor(message, wait) {
        super(message);
        this.wait = wait;
    }
}

const isTrouble = ({ status }, body) => status >= 500 || status === 408 || status === 429 || body === undefined;

function read(text) {
    try {
        return JSON.parse(text, (key, value, context) =>
            typeof value === 'number' && SUMS.test(key) ? context?.source ?? String(value) : value);
    } catch {
        return undefined;
    }
}

export class Rpc {
    constructor(base) {
        this.base = base.replace(/\/$/, '');
    }

    async call(name, named) {
        let response, text;
        try {
            response = await fetch(`${this.base}/${name}`, {
                method: 'POST', body: JSON.stringify(named), cache: 'no-store', credentials: 'omit',
                headers: { 'content-type': 'application/json', accept: 'application/json' },
                signal: AbortSignal.timeout(TIMEOUT),
            });
            text = await response.text();
        } catch (error) {
            throw new Unreachable(error.message);
        }
        const body = text === '' && response.ok ? null : read(text);
        if (isTrouble(response, body)) {
            throw new Unreachable(`HTTP status ${response.status}`, Number(response.headers.get('retry-after')) || undefined);
        }
        if (!response.ok) throw new Refused(response.status, body ?? undefined);
        return body;
    }
}

/** The server that a page names in its <meta name="checkout-rpc">. */
export const rpcOfPage = () => new Rpc(document.querySelector('meta[name="checkout-rpc"]').content);
