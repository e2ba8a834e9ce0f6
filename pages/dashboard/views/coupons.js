// Coupons: how often they are redeemed, and what one has brought.

import { html, nothing } from '../../vendor/lit-html.js';
import { number } from '../format.js';
import { t, word } from '../i18n.js';
import * as parts from '../parts.js';
import * as queries from '../queries.js';
import { link } from '../router.js';
import { rangeForm, rangeOf } from './overview.js';

const { badge, card, facts, money, show, table, time } = parts;

export function load({ api, route, signal }) {
    const chosen = route.parts[1];
    const send = (query) => api.send(query, signal);
    if (!chosen) return { coupons: send(queries.coupons(route.query.after)) };
    const days = rangeOf(route.query);
    return {
        coupon: api.one(queries.coupon(chosen), signal),
        ...(days.from < days.to && { performance: send(queries.couponPerformance(chosen, days)) }),
    };
}

const off = (c) => (c.percent_off !== null ? `${number(c.percent_off)} %` : money(c.amount_off, c.currency_code));

function stateOf(c) {
    const now = Date.now();
    if (!c.active) return 'archived';
    if (c.valid_until && Date.parse(c.valid_until) <= now) return 'expired';
    if (c.valid_from && Date.parse(c.valid_from) > now) return 'pending';
    return c.available !== null && c.available <= 0 ? 'used_up' : 'active';
}

function list(rows, { query }) {
    if (rows.length === 0) return parts.empty(t('coupons.none'), t('coupons.none.advice'));
    const seen = rows.slice(0, queries.PAGE);
    return html`${table(
        t('coupons.title'),
        [
            {
                label: t('coupons.code'),
                cell: (c) => html`<a class="cover" href=${link(['coupons', c.code])}><code>${c.code}</code></a>`,
            },
            { label: t('coupons.off'), number: true, cell: off },
            { label: t('sessions.status'), cell: (c) => badge(stateOf(c)) },
            { label: t('coupons.redeemed'), number: true, cell: (c) => number(c.redeemed) },
            { label: t('coupons.held'), number: true, wide: true, cell: (c) => number(c.held) },
            {
                label: t('coupons.available'),
                number: true,
                wide: true,
                cell: (c) => (c.available === null ? t('coupons.unlimited') : number(c.available)),
            },
            { label: t('coupons.until'), wide: true, cell: (c) => time(c.valid_until) },
        ],
        seen,
    )}
    ${parts.pages(query.after ? link(['coupons']) : null, rows.length > queries.PAGE ? link(['coupons'], { after: seen.at(-1).code }) : null)}`;
}

const brought = (rows) =>
    rows.length === 0
        ? html`<p class="quiet">${t('coupons.no_sessions')}</p>`
        : table(
              t('coupons.performance'),
              [
                  { label: t('sessions.currency'), cell: (p) => p.currency_code },
                  { label: t('coupons.sessions'), number: true, cell: (p) => number(p.sessions) },
                  { label: t('coupons.redemptions'), number: true, cell: (p) => number(p.redemptions) },
                  { label: t('session.subtotal'), number: true, wide: true, cell: (p) => money(p.subtotal, p.currency_code) },
                  { label: t('session.discount'), number: true, wide: true, cell: (p) => money(p.discount, p.currency_code) },
                  { label: t('coupons.amount'), number: true, cell: (p) => money(p.amount, p.currency_code) },
              ],
              rows,
          );

function one({ route, retry }, results) {
    const back = parts.breadcrumb(link(['coupons']), t('coupons.title'));
    const found = results.coupon;
    if (found && 'value' in found && !found.value) {
        return html`${back}<h1 tabindex="-1">${t('coupons.missing')}</h1>${parts.empty(t('coupons.missing'), t('coupons.missing.advice'))}`;
    }
    const days = rangeOf(route.query);
    return html`${back}
        <header class="top"><h1 tabindex="-1">${route.parts[1]}</h1>${found?.value ? badge(stateOf(found.value)) : nothing}</header>
        ${show(
            found,
            (c) => html`
            <div class="figures">${['redeemed', 'held', 'available'].map(
                (name) => html`<div class="figure"><span class="label">${t(`coupons.${name}`)}</span>
                <strong>${c[name] === null ? t('coupons.unlimited') : number(c[name])}</strong></div>`,
            )}</div>
            ${card(
                t('session.details'),
                facts([
                    [t('coupons.off'), off(c)],
                    [t('session.description'), c.description],
                    [t('coupons.customers'), word('customers', c.customers)],
                    [t('coupons.minimum'), c.minimum_amount === null ? null : money(c.minimum_amount, c.currency_code)],
                    [t('coupons.from'), c.valid_from && time(c.valid_from)],
                    [t('coupons.until'), c.valid_until && time(c.valid_until)],
                    [t('coupons.products'), c.product_ids?.map((id) => html`<a href=${link(['products', id])}>${id}</a> `)],
                    [
                        t('coupons.per_customer'),
                        c.max_redemptions_per_customer === null ? null : number(c.max_redemptions_per_customer),
                    ],
                    [t('sessions.created'), time(c.created_at)],
                ]),
            )}`,
            retry,
            4,
        )}
        ${rangeForm(route.parts, route.query)}
        ${card(t('coupons.performance'), days.from >= days.to ? html`<p>${t('range.wrong')}</p>` : show(results.performance, brought, retry, 2))}`;
}

export function view(context, results) {
    if (context.route.parts[1]) return one(context, results);
    return html`<header class="top"><h1 tabindex="-1">${t('coupons.title')}</h1></header>
        ${show(results.coupons, (rows) => list(rows, context.route), context.retry, 8)}`;
}
