// The page in a frame of the shop's page: see ../embed.js. What it tells has no secrets.

/** The frame that the page is in: undefined if it is in none, null if it is in one that the organization does not allow. */
export async function frameOf(rpc, id, search) {
    if (window.parent === window) return undefined;
    const asked = new URLSearchParams(search).get('embed');
    // The server says the same in its header; a static host may not know the organization.
    const { embedding_origins: allowed } = await rpc.call('page_policy', { checkout_session_id: id });
    return asked !== null && allowed.includes(asked) ? new Frame(asked, id) : null;
}

class Frame {
    constructor(origin, id) {
        Object.assign(this, { origin, id });
    }

    tell(type, more = {}) {
        const message = { source: 'checkout-sessions', type, checkout_session_id: this.id, ...more };
        window.parent.postMessage(message, this.origin);
    }

    /** Tells how high the page is, and that Escape was pressed: keys do not leave a frame. */
    watch() {
        new ResizeObserver(() => this.tell('height', { height: Math.ceil(document.body.scrollHeight) })).observe(document.body);
        document.addEventListener('keydown', (event) => {
            if (event.key === 'Escape' && !event.defaultPrevented && !document.querySelector('dialog[open]')) this.tell('cancel');
        });
    }
}
