// Overview: what was created and paid in some days, and what somebody should look at.

import { html, nothing } from '../../vendor/lit-html.js';
import { DAY, bucketDay, duration, number, percent, range, utcDay } from '../format.js';
import { t } from '../i18n.js';
import * as parts from '../parts.js';
import * as queries from '../queries.js';
import { go, link } from '../router.js';
import { LOW } from './products.js';

const { card, money, show, table } = parts;
const ENDS = ['completed', 'open', 'expired', 'failed'];
const STAGES = ['created', 'opened', 'payment_begun', 'completed'];
// Of those that are neither complete nor open.
const DROPOFFS = ['expired_unopened', 'expired_opened', 'expired_payment_begun', 'expired_failed_attempt', 'failed'];
const valid = (day) => (/^\d{4}-\d\d-\d\d$/.test(day ?? '') && !Number.isNaN(Date.parse(day)) ? day : undefined);

export const rangeOf = ({ from, to }) => range({ from: valid(from), to: valid(to) });

export function load({ api, route, signal }) {
    const days = rangeOf(route.query);
    if (days.from >= days.to) return {};
    const send = (query) => api.send(query, signal);
    return {
        funnel: send(queries.funnel(days)),
        paid: send(queries.paid(days)),
        refunds: send(queries.toRefund()),
        dead: send(queries.deadDeliveries()),
        low: send(queries.lowStock(LOW)),
    };
}

export function rangeForm(place, query) {
    const { from, to } = rangeOf(query);
    const value = { from: utcDay(from), to: utcDay(to - DAY) };
    const today = Math.floor(Date.now() / DAY) * DAY;
    const last = (days) => link(place, days === 7 ? {} : { from: utcDay(today - (days - 1) * DAY), to: utcDay(today) });
    const chosen = (days) => to === today + DAY && to - from === days * DAY;
    return html`
        <form class="filters range" aria-label=${t('range')} @submit=${(event) => {
            event.preventDefault();
            go(place, parts.filled(event.target));
        }}>
            <div class="row">
                <div class="choices">${[1, 7, 30].map((days) => html`
                    <a href=${last(days)} aria-current=${chosen(days) ? 'true' : nothing}>${t('range.last', { count: days })}</a>`)}</div>
                ${parts.field(t('range.from'), html`<input type="date" name="from" .value=${value.from} required>`)}
                ${parts.field(t('range.to'), html`<input type="date" name="to" .value=${value.to} required>`)}
                <button type="submit" class="secondary">${t('filters.apply')}</button>
                <small class="quiet">${t('range.utc')}</small>
            </div>
        </form>`;
}

/** A row for each day, also for those without sessions. */
function everyDay(rows, { from, to }) {
    const found = new Map(rows.map((row) => [row.bucket_start.slice(0, 10), row]));
    const days = [];
    for (let day = from; day < Math.min(to, Date.now() + DAY) && days.length < 366; day += DAY) {
        const name = utcDay(day);
        days.push(
            found.get(name) ?? {
                bucket_start: name,
                ...Object.fromEntries([...STAGES, ...ENDS].map((key) => [key, 0])),
                conversion_of_ended: null,
                median_time_to_pay: null,
            },
        );
        found.delete(name);
    }
    return [...days, ...found.values()];
}

const sum = (rows, name) => rows.reduce((total, row) => total + row[name], 0);
const figure = (label, value, note = nothing, href = null) => html`
    <div class="figure"><span class="label">${label}</span>
        <strong>${href ? html`<a href=${href}>${value}</a>` : value}</strong><span class="quiet">${note}</span></div>`;

function totals(rows) {
    const completed = sum(rows, 'completed');
    const ended = completed + sum(rows, 'expired') + sum(rows, 'failed');
    return html`<div class="figures">
        ${STAGES.map((key) => figure(t(`overview.${key}`), number(sum(rows, key))))}
        ${figure(t('overview.conversion'), ended > 0 ? percent(completed / ended) : '—')}
        ${figure(t('overview.open'), number(sum(rows, 'open')))}
    </div>`;
}

/** Where the buyers of sessions that were not paid have stopped, and why they left the page. */
function losses(rows) {
    const lost = sum(rows, 'expired') + sum(rows, 'failed');
    const reasons = new Map();
    for (const [reason, count] of rows.flatMap((row) => Object.entries(row.cancellation_reasons))) {
        reasons.set(reason, (reasons.get(reason) ?? 0) + count);
    }
    const unsaid = [...reasons.values()].reduce((left, count) => left - count, sum(rows, 'cancelled'));
    const why = [...reasons].sort(([, a], [, b]) => b - a).map(([reason, count]) => ({ label: reasonName(reason), count }));
    if (unsaid > 0) why.push({ label: t('overview.no_reason'), count: unsaid });
    const counts = (caption, what, found, total) =>
        table(
            caption,
            [
                { label: what, cell: (row) => row.label },
                { label: t('overview.sessions'), number: true, cell: (row) => number(row.count) },
                { label: t('overview.share'), number: true, cell: (row) => (total > 0 ? percent(row.count / total) : '—') },
            ],
            found,
        );
    const stages = DROPOFFS.map((key) => ({ label: t(`overview.lost.${key}`), count: sum(rows, key) }));
    return html`<div class="chart-row">
        ${counts(t('overview.dropoffs'), t('overview.stage'), stages, lost)}
        ${
            why.length === 0
                ? html`<p class="quiet">${t('overview.no_cancellations')}</p>`
                : counts(t('overview.cancellations'), t('overview.reason'), why, sum(rows, 'cancelled'))
        }
    </div>`;
}

const REASONS = ['too_expensive', 'changed_mind', 'payment_method', 'delivery', 'technical_problem', 'other'];
// A merchant's own page may have words of its own.
const reasonName = (reason) => (REASONS.includes(reason) ? t(`overview.reason.${reason}`) : reason);

function charts(rows, days) {
    if (sum(rows, 'created') === 0) return parts.empty(t('overview.none'), t('overview.none.advice'));
    const every = everyDay(rows, days);
    const labels = every.map((row) => bucketDay(row.bucket_start));
    const series = ENDS.map((key) => ({ key, label: t(`overview.${key}`), values: every.map((row) => row[key]) }));
    const counts = { kind: 'bar', labels, series, name: t('overview.chart_name'), format: number };
    const shares = {
        kind: 'line',
        labels,
        series: [
            { key: 'conversion', label: t('overview.conversion'), values: every.map((row) => row.conversion_of_ended) },
        ],
        name: t('overview.conversion_chart_name'),
        format: (share) => percent(share),
        ticks: (share) => percent(share, 0),
    };
    return html`
        <div class="chart-row">
            <figure><figcaption>${t('overview.by_day')}</figcaption>
                <dashboard-chart .data=${counts}></dashboard-chart></figure>
            <figure><figcaption>${t('overview.conversion_by_day')}</figcaption>
                <dashboard-chart .data=${shares}></dashboard-chart></figure>
        </div>
        <details class="numbers" open><summary>${t('overview.table')}</summary>
        ${table(
            t('overview.table'),
            [
                { label: t('overview.day'), cell: (row) => bucketDay(row.bucket_start) },
                { label: t('overview.created'), number: true, cell: (row) => number(row.created) },
                ...['opened', 'payment_begun'].map((key) => ({
                    label: t(`overview.${key}`),
                    number: true,
                    wide: true,
                    cell: (row) => number(row[key]),
                })),
                ...ENDS.map((key) => ({
                    label: t(`overview.${key}`),
                    number: true,
                    wide: key !== 'completed',
                    cell: (row) => number(row[key]),
                })),
                {
                    label: t('overview.conversion'),
                    number: true,
                    cell: (row) => (row.conversion_of_ended === null ? '—' : percent(row.conversion_of_ended)),
                },
                { label: t('overview.median'), number: true, wide: true, cell: (row) => duration(row.median_time_to_pay) },
            ],
            every.toReversed(),
        )}</details>`;
}

function byCurrency(rows) {
    const sums = new Map();
    for (const { currency_code, amount, refunded_amount } of rows) {
        const of = sums.get(currency_code) ?? { currency_code, payments: 0, amount: 0, refunded: 0 };
        sums.set(currency_code, {
            ...of,
            payments: of.payments + 1,
            amount: of.amount + amount,
            refunded: of.refunded + refunded_amount,
        });
    }
    return [...sums.values()].sort((a, b) => b.payments - a.payments);
}

// Sums of numbers that are not exact in binary.
const exact = (value) => Number(value.toFixed(6));

function amounts(rows) {
    if (rows.length === 0) return html`<p class="quiet">${t('overview.no_payments')}</p>`;
    return html`${table(
        t('overview.amounts'),
        [
            { label: t('sessions.currency'), cell: (row) => row.currency_code },
            { label: t('overview.payments'), number: true, cell: (row) => number(row.payments) },
            { label: t('overview.paid'), number: true, cell: (row) => money(exact(row.amount), row.currency_code) },
            {
                label: t('overview.refunded'),
                number: true,
                wide: true,
                cell: (row) => money(exact(row.refunded), row.currency_code),
            },
        ],
        byCurrency(rows),
    )}
    ${rows.length >= queries.SUMMED ? html`<p class="quiet">${t('overview.newest_payments', { number: queries.SUMMED })}</p>` : nothing}`;
}

/** What should be looked at: a number, where to look, and what it means. */
function attention(rows, key, href) {
    const value = rows.length >= 100 ? '100+' : number(rows.length);
    return html`<a class="attention ${rows.length > 0 ? 'some' : 'none'}" href=${href}>
        <span class="label">${t(`overview.${key}`)}</span><strong>${value}</strong>
        <span class="quiet">${rows.length > 0 ? t(`overview.${key}.some`) : t(`overview.${key}.none`)}</span></a>`;
}

export function view({ route, retry }, results) {
    const days = rangeOf(route.query);
    return html`
        <header class="top"><h1 tabindex="-1">${t('overview.title')}</h1></header>
        <div class="attentions">
            ${show(results.refunds, (rows) => attention(rows, 'to_refund', link(['refunds'])), retry, 2)}
            ${show(results.dead, (rows) => attention(rows, 'dead', link(['webhooks'], { show: 'dead' })), retry, 2)}
            ${show(results.low, (rows) => attention(rows, 'low', link(['products'], { show: 'low' })), retry, 2)}
        </div>
        ${rangeForm(['overview'], route.query)}
        ${
            days.from >= days.to
                ? html`<div class="notice bad" role="alert"><strong>${t('range.wrong')}</strong></div>`
                : html`
            ${show(results.funnel, totals, retry, 2)}
            ${card(t('overview.funnel'), results.funnel?.error ? nothing : show(results.funnel, (rows) => charts(rows, days), retry, 8))}
            ${card(t('overview.losses'), results.funnel?.error ? nothing : show(results.funnel, losses, retry, 4))}
            ${card(t('overview.amounts'), show(results.paid, amounts, retry, 3))}`
        }`;
}
