// Sessions: filters, pages, their number, and an export.

import { html, nothing } from '../../vendor/lit-html.js';
import { csv, save } from '../csv.js';
import { dayEnd, dayStart, localTime, money as amountOf } from '../format.js';
import { t } from '../i18n.js';
import * as parts from '../parts.js';
import * as queries from '../queries.js';
import { go, link, without } from '../router.js';

const STATUSES = ['open', 'complete', 'failed', 'expired'];
const EXPORTED = [
    'checkout_session_id',
    'created_at',
    'status',
    'payment_status',
    'amount',
    'currency_code',
    'customer_email',
    'customer_name',
    'customer_id',
    'reference',
    'title',
    'payment_id',
    'attempts',
    'expires_at',
    'completed_at',
    'metadata',
];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const KEY = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** What the address asks for, as queries.js takes it. */
function filtersOf(query) {
    return {
        status: STATUSES.includes(query.status) ? query.status : undefined,
        email: query.email,
        reference: query.reference,
        id: query.id,
        from: dayStart(query.from),
        to: dayEnd(query.to),
        currency: query.currency?.toUpperCase(),
        least: query.least,
        most: query.most,
        key: query.key,
        value: query.value,
        oldest: query.order === 'oldest',
        past: query.past,
    };
}

/** Why a filter cannot be asked for. */
function problemOf(query) {
    const number = (text) => text === undefined || /^\d+(\.\d+)?$/.test(text);
    const day = (text) => text === undefined || !Number.isNaN(dayStart(text));
    if (query.id && !UUID.test(query.id)) return 'sessions.problem.id';
    if (query.key && !KEY.test(query.key)) return 'sessions.problem.key';
    if (query.value && !query.key) return 'sessions.problem.value';
    if (!number(query.least) || !number(query.most)) return 'sessions.problem.amount';
    if (!day(query.from) || !day(query.to)) return 'sessions.problem.day';
    return null;
}

export function load({ api, route: { query }, signal }) {
    if (problemOf(query)) return {};
    const filters = filtersOf(query);
    const bound = queries.isBounded(filters)
        ? api.one(queries.searchBound(filters), signal).then((row) => row?.checkout_session_id ?? null)
        : Promise.resolve(null);
    const page = async () => {
        const { after, before } = query;
        const rows = await api.send(queries.sessions(filters, await bound, { after, before }), signal);
        const more = rows.length > queries.PAGE;
        const seen = rows.slice(0, queries.PAGE);
        if (before) seen.reverse();
        return { rows: seen, next: before ? true : more, previous: before ? more : Boolean(after), bound: await bound };
    };
    const total = async () => {
        const more = (await bound) ? [] : await api.send(queries.moreSessions(filters), signal);
        return more.length > 0 ? { more: true } : { number: await api.send(queries.sessionCount(filters, await bound), signal) };
    };
    return { page: page(), total: total() };
}

async function exportAll({ api, route: { query }, signal }) {
    const filters = filtersOf(query);
    const bound = queries.isBounded(filters) ? (await api.one(queries.searchBound(filters), signal))?.checkout_session_id : null;
    const rows = [];
    for (let more = true; more && rows.length < queries.COUNTED;) {
        const found = await api.send(
            queries.exportedSessions(filters, bound, { after: rows.at(-1)?.checkout_session_id }),
            signal,
        );
        rows.push(...found);
        more = found.length > 0;
    }
    save('sessions.csv', csv(EXPORTED, rows.slice(0, queries.COUNTED)));
    return Math.min(rows.length, queries.COUNTED);
}

function apply(event, query) {
    event.preventDefault();
    const { order } = query;
    go(['sessions'], { ...parts.filled(event.target), order });
}

function form({ route: { query } }) {
    const { field, select, submitForm } = parts;
    const input = (name, type = 'text', more = '') => html`<input name=${name} type=${type} .value=${query[name] ?? ''}
        autocomplete="off" inputmode=${more || nothing}>`;
    const extra = ['id', 'from', 'to', 'currency', 'least', 'most', 'key', 'value'].filter((name) => query[name]).length;
    return html`
        <form class="filters" @submit=${(event) => apply(event, query)} aria-label=${t('filters')}>
            <div class="row">
                ${field(
                    t('sessions.status'),
                    select(
                        'status',
                        query.status,
                        [['', t('any')], ...STATUSES.map((status) => [status, t(`status.${status}`)])],
                        submitForm,
                    ),
                )}
                ${field(t('sessions.email'), input('email'))}
                ${field(t('sessions.reference'), input('reference'))}
                <button type="submit">${t('filters.apply')}</button>
                <a href=${link(['sessions'])} class="clear">${t('filters.clear')}</a>
            </div>
            <details ?open=${extra > 0}>
                <summary>${t('filters.more')}${extra > 0 ? ` (${extra})` : ''}</summary>
                <div class="row">
                    ${field(t('sessions.from'), input('from', 'date'))} ${field(t('sessions.to'), input('to', 'date'))}
                    ${field(t('sessions.currency'), html`<input name="currency" .value=${query.currency ?? ''}
                        maxlength="3" autocomplete="off">`)}
                    ${field(t('sessions.least'), input('least', 'text', 'decimal'))} ${field(t('sessions.most'), input('most', 'text', 'decimal'))}
                    ${field(t('sessions.id'), html`<input name="id" class="long" .value=${query.id ?? ''} autocomplete="off">`)}
                    ${field(t('sessions.key'), input('key'))} ${field(t('sessions.value'), input('value'))}
                </div>
            </details>
        </form>`;
}

const columns = [
    { label: () => t('sessions.amount'), number: true, cell: (s) => parts.money(s.amount, s.currency_code) },
    {
        label: () => t('sessions.status'),
        cell: (s) => html`${parts.badge(s.status)}
        ${s.payment_status === 'processing' ? parts.badge('processing') : nothing}`,
    },
    { label: () => t('sessions.title_of'), wide: true, text: true, cell: (s) => parts.plain(s.title) },
    { label: () => t('sessions.email'), wide: true, cell: (s) => parts.plain(s.customer_email) },
    { label: () => t('sessions.reference'), wide: true, text: true, cell: (s) => parts.plain(s.reference) },
    {
        label: () => t('sessions.created'),
        cell: (s) => html`<a class="cover" href=${link(['sessions', s.checkout_session_id])}
        aria-label=${t('sessions.open_one', { amount: amountOf(s.amount, s.currency_code), time: localTime(s.created_at) })}>
        ${parts.time(s.created_at)}</a>`,
    },
];

function count(state) {
    if (!state || state.error || !state.value)
        return state?.error ? nothing : html`<span class="quiet" aria-busy="true">${t('sessions.counting')}</span>`;
    const { more, number } = state.value;
    return more ? t('sessions.more_than', { limit: queries.COUNTED }) : t('sessions.count', { count: number });
}

function list(context, { rows, next, previous, bound }) {
    const { query } = context.route;
    const filters = without(query, 'after', 'before');
    const further = bound
        ? html`<p class="quiet bounded">${t(query.order === 'oldest' ? 'sessions.bounded_oldest' : 'sessions.bounded', { number: queries.SEARCHED })}
        <a href=${link(['sessions'], { ...filters, past: bound })}>${t('sessions.further')}</a></p>`
        : nothing;
    if (rows.length === 0) {
        const filtered = Object.keys(query).some((name) => name !== 'order');
        return html`${parts.empty(
            t(filtered ? 'sessions.none_match' : 'sessions.none'),
            t(filtered ? 'sessions.none_match.advice' : 'sessions.none.advice'),
        )}${further}`;
    }
    return html`
        ${parts.table(
            t('sessions.title'),
            columns.map((column) => ({ ...column, label: column.label() })),
            rows,
        )}
        ${parts.pages(
            previous ? link(['sessions'], { ...filters, before: rows[0].checkout_session_id }) : null,
            next ? link(['sessions'], { ...filters, after: rows.at(-1).checkout_session_id }) : null,
        )}
        ${further}`;
}

export function view(context, results) {
    const { query } = context.route;
    const problem = problemOf(query);
    const filters = without(query, 'after', 'before');
    const oldest = query.order === 'oldest';
    const exporting = results.export;
    return html`
        <header class="top"><h1 tabindex="-1">${t('sessions.title')}</h1>
            <p class="total" role="status">${problem ? nothing : count(results.total)}</p>
            <button type="button" class="secondary" ?disabled=${problem || (exporting && parts.isLoading(exporting))}
                @click=${() => {
                    context.run('export', exportAll(context));
                    context.redraw();
                }}>${t('sessions.export')}</button>
        </header>
        ${exporting?.error ? parts.failure(exporting.error, context.retry) : nothing}
        ${
            exporting
                ? html`<p role="status" class="quiet">${
                      parts.isLoading(exporting)
                          ? t('sessions.exporting')
                          : exporting.value !== undefined
                            ? t(exporting.value < queries.COUNTED ? 'sessions.exported' : 'sessions.exported_most', {
                                  count: exporting.value,
                              })
                            : nothing
                  }</p>`
                : nothing
        }
        ${form(context)}
        <p class="sort"><span class="quiet">${t('sessions.order')}</span>
            <a href=${link(['sessions'], { ...filters, order: '', past: '' })} aria-current=${oldest ? nothing : 'true'}>${t('sessions.newest')}</a>
            <a href=${link(['sessions'], { ...filters, order: 'oldest', past: '' })}
                aria-current=${oldest ? 'true' : nothing}>${t('sessions.oldest')}</a></p>
        ${
            problem
                ? html`<div class="notice bad" role="alert"><strong>${t(problem)}</strong></div>`
                : parts.show(results.page, (page) => list(context, page), context.retry, 10)
        }`;
}
