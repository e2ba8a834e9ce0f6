// Requests to the gateway, or to PostgREST, and what can become of them.

/** The server's answer is an error: code is the SQLSTATE, as in docs/errors.md. */
export class Refused extends Error {
    constructor({ status, headers }, { code, message, hint } = {}) {
        super(message ?? `HTTP status ${status}`);
        Object.assign(this, { status, code, hint, requestId: headers.get('x-request-id') });
    }
}

/** There is no answer, or one that says nothing about the request: try again later. */
export class Unreachable extends Error {
    status = 0;

    constructor(message = '', wait = undefined) {
        super(message);
        this.wait = wait;
    }
}

function read(text, reviver) {
    try {
        return JSON.parse(text, reviver);
    } catch {
        return undefined;
    }
}

/** The part of a request that calls a function with named arguments. */
export const calling = (named) => ({
    method: 'POST', body: JSON.stringify(named), headers: { 'content-type': 'application/json' },
});

/** Returns the response and its body: null if it is empty, undefined if it is no JSON. */
export async function send(url, { headers, ...request }, reviver) {
    let response, text;
    try {
        response = await fetch(url, { ...request, cache: 'no-store', headers: { accept: 'application/json', ...headers } });
        text = await response.text();
    } catch (error) {
        // Nobody waits for it any more.
        throw error.name === 'AbortError' ? error : new Unreachable();
    }
    return { response, body: text === '' ? null : read(text, reviver) };
}
