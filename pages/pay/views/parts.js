// Small parts that several views use.

import { html, nothing, svg } from '../../vendor/lit-html.js';

/** What is wrong with a field. It is there for aria-describedby even while nothing is. */
export const fieldError = (form, words, place) => html`<p class="error" id="${place}-error" ?hidden=${!form.errors[place]}
    >${form.errors[place] ? words.text(...form.errors[place]) : nothing}</p>`;

/** What is wrong with something that the buyer has asked for: read aloud. */
export const alarm = (form, words, place) => html`<div role="alert" id="${place}-error">${form.errors[place]
    ? html`<p class="notice notice-bad">${icon('alert')}<span>${words.text(...form.errors[place])}</span></p>` : nothing}</div>`;

export const invalid = (form, place) => (form.errors[place] ? 'true' : nothing);

const PATHS = {
    alert: svg`<circle cx="12" cy="12" r="9"/><path d="M12 7.5v5.5M12 16.4v.1"/>`,
    bank: svg`<path d="M4 10 12 4.5 20 10zM6 10v7M10 10v7M14 10v7M18 10v7M4 19.5h16"/>`,
    card: svg`<rect x="3" y="5.5" width="18" height="13" rx="2"/><path d="M3 10h18M6.5 15h3.5"/>`,
    cash: svg`<rect x="3" y="6.5" width="18" height="11" rx="1.5"/><circle cx="12" cy="12" r="2.5"/><path d="M6 9.5v.1M18 14.5v.1"/>`,
    check: svg`<path d="m5.5 12.5 4.2 4.2 8.8-9.2"/>`,
    clock: svg`<circle cx="12" cy="12" r="8.5"/><path d="M12 7v5l3.2 2"/>`,
    close: svg`<path d="m7 7 10 10M17 7 7 17"/>`,
    cross: svg`<path d="m7.5 7.5 9 9M16.5 7.5l-9 9"/>`,
    lock: svg`<rect x="5" y="10.5" width="14" height="9.5" rx="2"/><path d="M8 10.5V8a4 4 0 0 1 8 0v2.5"/>`,
    minus: svg`<path d="M6.5 12h11"/>`,
    offline: svg`<path d="M4 4l16 16M5 12.5a10 10 0 0 1 3.2-2.1M2.5 9A14 14 0 0 1 6 6.7M11 5.6A14 14 0 0 1 21.5 9M15.6 10.6A10 10 0 0 1 19 12.5M8.5 16a5 5 0 0 1 6.4-.5M12 19.5v.1"/>`,
    phone: svg`<rect x="7" y="3" width="10" height="18" rx="2"/><path d="M11 18h2"/>`,
    plus: svg`<path d="M6.5 12h11M12 6.5v11"/>`,
    question: svg`<circle cx="12" cy="12" r="9"/><path d="M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M12 16.6v.1"/>`,
    tag: svg`<path d="M4 4.5h7.5l8.5 8.5-7 7L4.5 11.5zM8 8.2v.1"/>`,
    wallet: svg`<path d="M4 7.5A1.5 1.5 0 0 1 5.5 6H18v3M4 7.5V18a1.5 1.5 0 0 0 1.5 1.5H20V9H5.5A1.5 1.5 0 0 1 4 7.5zM16.5 14v.1"/>`,
};

export const icon = (name) => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${PATHS[name]}</svg>`;

const OF_METHODS = { bank_transfer: 'bank', payid: 'bank', cash: 'cash', mobile_money: 'phone', ussd: 'phone', qr: 'phone', card: 'card' };
export const methodIcon = (method) => icon(OF_METHODS[method] ?? 'wallet');

export const spinner = html`<span class="spinner" aria-hidden="true"></span>`;
