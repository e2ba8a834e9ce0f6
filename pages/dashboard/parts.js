// What the views are made of.

import { html, nothing } from '../vendor/lit-html.js';
import * as format from './format.js';
import { t, word } from './i18n.js';

/** The state of a query: {value}, {error}, or {} while it runs. */
export const isLoading = (state) => !state || (!('value' in state) && !state.error);

const ADVICE = {
    0: 'network',
    400: 'request',
    401: 'credential',
    403: 'forbidden',
    404: 'missing',
    429: 'busy',
    503: 'busy',
    504: 'slow',
};

export function failure(error, retry) {
    const slow = error.code === '57014';
    const advice = slow ? 'slow' : (ADVICE[error.status] ?? (error.status >= 500 ? 'server' : 'request'));
    return html`
        <div class="notice bad" role="alert">
            <strong>${t(`error.${advice}.title`)}</strong>
            <p>${t(`error.${advice}.advice`)}</p>
            ${error.message ? html`<p class="quiet">${error.message}${error.hint ? ` ${error.hint}` : ''}</p>` : nothing}
            ${error.requestId ? html`<p class="quiet">${t('error.request_id')} <code>${error.requestId}</code></p>` : nothing}
            <button type="button" class="secondary" @click=${retry}>${t('error.retry')}</button>
        </div>`;
}

const bars = (count) => html`
    <div class="skeleton" role="status" aria-busy="true"><span class="hidden">${t('loading')}</span>
        ${Array.from({ length: count }, () => html`<div aria-hidden="true"></div>`)}
    </div>`;

/** A template of what a query has found; before that a skeleton, or what went wrong. */
export function show(state, template, retry, lines = 5) {
    if (state?.error) return failure(state.error, retry);
    return isLoading(state) ? bars(lines) : template(state.value);
}

export const empty = (title, advice, action = nothing) => html`
    <div class="empty"><strong>${title}</strong><p>${advice}</p>${action}</div>`;

export function time(text) {
    if (!text) return html`<span class="quiet">—</span>`;
    return html`<time datetime=${text} title=${format.utcTime(text)}
        ><span>${format.localDay(text)},</span> <span>${format.localClock(text)}</span></time>`;
}

export const money = (amount, currency) => html`<span class="number">${format.money(amount, currency)}</span>`;

// Each status has a sign of its own, and its word: colour is only a help.
const SIGNS = {
    open: ['○', 'info'],
    processing: ['◔', 'info'],
    pending: ['◔', 'info'],
    leased: ['◑', 'info'],
    complete: ['✓', 'good'],
    succeeded: ['✓', 'good'],
    paid: ['✓', 'good'],
    delivered: ['✓', 'good'],
    enabled: ['✓', 'good'],
    active: ['✓', 'good'],
    trialing: ['◔', 'info'],
    past_due: ['!', 'warning'],
    ended: ['◷', 'plain'],
    no_payment_required: ['✓', 'good'],
    expired: ['◷', 'plain'],
    canceled: ['–', 'plain'],
    unpaid: ['–', 'plain'],
    skipped: ['–', 'plain'],
    archived: ['–', 'plain'],
    untracked: ['∞', 'plain'],
    backorder: ['↻', 'info'],
    in_stock: ['✓', 'good'],
    paused: ['‖', 'warning'],
    failing: ['!', 'warning'],
    low: ['!', 'warning'],
    disabled: ['‖', 'warning'],
    failed: ['✕', 'bad'],
    rejected: ['✕', 'bad'],
    dead: ['✕', 'bad'],
    sold_out: ['✕', 'bad'],
};

export function badge(status) {
    const [sign, tone] = SIGNS[status] ?? ['•', 'plain'];
    return html`<span class="badge ${tone}"><span aria-hidden="true">${sign}</span> ${word('status', status)}</span>`;
}

export const code = (text) =>
    text === null || text === undefined ? html`<span class="quiet">—</span>` : html`<code>${text}</code>`;
export const plain = (text) => (text === null || text === undefined || text === '' ? html`<span class="quiet">—</span>` : text);

/** A short id that can still be told from others of the same minute, and the whole of it as the title. */
export const shortId = (id) =>
    html`<code class="short" title=${id}>${id.length > 20 ? `${id.slice(0, 8)}…${id.slice(-8)}` : id}</code>`;

/** A table. A column: {label, cell, number, wide, text}; `wide` ones are hidden on narrow screens, `text` is of any length. */
export function table(caption, columns, rows) {
    const kind = (column) => [column.number ? 'number' : '', column.wide ? 'wide' : '', column.text ? 'text' : ''].join(' ');
    return html`
        <div class="scroll" tabindex="0" role="region" aria-label=${caption}>
            <table>
                <caption class="hidden">${caption}</caption>
                <thead><tr>${columns.map((column) => html`<th scope="col" class=${kind(column)}>${column.label}</th>`)}</tr></thead>
                <tbody>${rows.map(
                    (row) => html`
                    <tr>${columns.map((column) => html`<td class=${kind(column)}>${column.cell(row)}</td>`)}</tr>`,
                )}
                </tbody>
            </table>
        </div>`;
}

/** Names and values. Those without a value are left out. */
export const facts = (pairs) => html`
    <dl class="facts">${pairs
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

export const card = (title, body, more = nothing) => html`
    <section class="card"><header><h2>${title}</h2>${more}</header>${body}</section>`;

export const pages = (previous, next) => html`
    <nav class="pages" aria-label=${t('pages')}>
        ${previous ? html`<a href=${previous} role="button" class="secondary">${t('pages.previous')}</a>` : nothing}
        ${next ? html`<a href=${next} role="button" class="secondary">${t('pages.next')}</a>` : nothing}
    </nav>`;

export const field = (label, control) => html`<label><span>${label}</span>${control}</label>`;

export const select = (name, value, options, change) => html`
    <select name=${name} .value=${value ?? ''} @change=${change}>
        ${options.map(([option, text]) => html`<option value=${option} ?selected=${option === (value ?? '')}>${text}</option>`)}
    </select>`;

/** The fields of a form that are filled in. */
export const filled = (form) =>
    Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value !== ''));

/** Submits the form of a control that was changed. */
export const submitForm = (event) => event.target.form.requestSubmit();

export const breadcrumb = (href, text) => html`<a class="back" href=${href}><span aria-hidden="true">←</span> ${text}</a>`;
