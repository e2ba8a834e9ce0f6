// Addresses: #/sessions/ID?status=open. Every filter is there, so that an address can be shared and reloaded.

export function parse(hash) {
    const [path, query = ''] = hash.replace(/^#\/?/, '').split('?');
    return {
        parts: path.split('/').filter(Boolean).map(decode),
        query: Object.fromEntries([...new URLSearchParams(query)].filter(([, value]) => value !== '')),
    };
}

function decode(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

/** The address of parts of a path and a query, without what is empty. */
export function link(parts, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
    const search = given.length > 0 ? `?${new URLSearchParams(given)}` : '';
    return `#/${parts.map(encodeURIComponent).join('/')}${search}`;
}

/** Goes to an address. If one is there already, it is loaded again. */
export function go(parts, query) {
    const next = link(parts, query);
    if (location.hash === next) dispatchEvent(new Event('hashchange'));
    else location.hash = next;
}

export const without = (query, ...names) => Object.fromEntries(Object.entries(query).filter(([name]) => !names.includes(name)));
