// Addresses that come from sessions: nothing that runs code.

function parsed(text) {
    try {
        return new URL(text);
    } catch {
        return undefined;
    }
}

const secure = (protocols) => (text) => (protocols(parsed(text)?.protocol) ? text : undefined);

/** An http or https address, or undefined. */
export const webLink = secure((protocol) => protocol === 'http:' || protocol === 'https:');

/** An https address, or undefined: a picture must not show what the buyer looks at to others on the line. */
export const pictureLink = secure((protocol) => protocol === 'https:');

// The server lets no such scheme in; a page that believed it would still be one mistake away from running code.
const NEVER = /^(?:javascript|vbscript|data|blob|about|file|filesystem|view-source|chrome|edge|intent|mailto|tel|sms):$/;

/** Where a buyer returns to: an http or https address, or a link into an app. */
export const returnLink = secure((protocol) => protocol !== undefined && !NEVER.test(protocol));
