// The payment page in a dialog of the shop's own page:
//
//     import { open } from 'https://pay.example/pages/embed.js';
//     const { close } = open({ url: session.url, onComplete: ({ checkout_session_id }) => ... });
//
// The origin of the shop's page must be one of the organization's embedding_origins.

const STYLE = `
    dialog { inline-size: min(60rem, 100vw - 2rem); max-inline-size: none; max-block-size: none; block-size: min(var(--height, 40rem), 100dvh - 2rem);
        padding: 0; border: 0; border-radius: 12px; overflow: hidden; background: Canvas; color-scheme: light dark;
        box-shadow: 0 24px 80px rgb(0 0 0 / 35%); }
    dialog::backdrop { background: rgb(12 14 20 / 55%); }
    iframe { display: block; inline-size: 100%; block-size: 100%; border: 0; }
    button { position: absolute; inset-block-start: 0.5rem; inset-inline-end: 0.5rem; inline-size: 2.25rem; block-size: 2.25rem; border: 0;
        border-radius: 50%; background: Canvas; color: CanvasText; font: 1.25rem/1 system-ui; cursor: pointer; box-shadow: 0 1px 5px rgb(0 0 0 / 25%); }
    button:focus-visible { outline: 3px solid Highlight; }
    @media (max-width: 40rem) { dialog { inline-size: 100vw; block-size: 100dvh; border-radius: 0; margin: 0; } }`;
const CLOSE = { en: 'Close', fr: 'Fermer' };
const TITLE = { en: 'Payment', fr: 'Paiement' };

/**
 * Shows the page of a session. Returns {close}.
 * url: of the session. onReady, onComplete, onExpired and onError get {checkout_session_id}; onCancel, too: the buyer has closed
 * the dialog or does not want to pay. lang: of the page, such as 'fr'.
 */
export function open({ url, lang, onReady, onComplete, onCancel, onExpired, onError }) {
    const there = new URL(url);
    if (!/^https?:$/.test(there.protocol)) throw new TypeError('the url of a checkout session is an http or https address');
    there.searchParams.set('embed', location.origin);
    if (lang) there.searchParams.set('lang', lang);
    const language = (lang ?? navigator.language).slice(0, 2);

    const { host, dialog, frame, button } = elements(there.href, TITLE[language] ?? TITLE.en, CLOSE[language] ?? CLOSE.en);
    const before = document.activeElement;

    function close() {
        removeEventListener('message', listen);
        if (!host.isConnected) return;
        dialog.close();
        host.remove();
        before?.focus?.();
    }
    function cancel(told) {
        close();
        onCancel?.(told ?? {});
    }
    function listen({ origin, source, data }) {
        if (origin !== there.origin || source !== frame.contentWindow || data?.source !== 'checkout-sessions') return;
        const told = { checkout_session_id: data.checkout_session_id };
        if (data.type === 'height') dialog.style.setProperty('--height', `${Number(data.height)}px`);
        else if (data.type === 'cancel') cancel(told);
        else ({ ready: onReady, complete: onComplete, expired: onExpired, error: onError })[data.type]?.(told);
    }

    addEventListener('message', listen);
    button.addEventListener('click', () => cancel());
    // Escape. While the frame has the focus the page tells it.
    dialog.addEventListener('cancel', (event) => {
        event.preventDefault();
        cancel();
    });
    document.body.append(host);
    // The browser keeps the focus in a modal dialog.
    dialog.showModal();
    frame.focus();
    return { close };
}

/** In a shadow root, so that the shop's styles do not reach them; the style is no inline one, which a shop's policy may forbid. */
function elements(address, title, closing) {
    const host = document.createElement('checkout-session');
    const root = host.attachShadow({ mode: 'open' });
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    root.adoptedStyleSheets = [style];
    const dialog = document.createElement('dialog');
    dialog.setAttribute('aria-label', title);
    const frame = document.createElement('iframe');
    Object.assign(frame, { src: address, title, allow: 'payment', referrerPolicy: 'no-referrer' });
    const button = document.createElement('button');
    Object.assign(button, { type: 'button', textContent: '×', ariaLabel: closing });
    dialog.append(frame, button);
    root.append(dialog);
    return { host, dialog, frame, button };
}
