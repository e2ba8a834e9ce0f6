// Subscriptions: who pays for what again, until when it is paid, and which sessions have paid.

import { html, nothing } from '../../vendor/lit-html.js';
import { number } from '../format.js';
import { t } from '../i18n.js';
import * as parts from '../parts.js';
import * as queries from '../queries.js';
import { go, link } from '../router.js';

const { badge, card, facts, money, show, table, time } = parts;
const STATUSES = ['trialing', 'active', 'past_due', 'ended', 'canceled'];

export function load({ api, route, signal }) {
    const chosen = route.parts[1];
    if (!chosen) return { subscriptions: api.send(queries.subscriptions(route.query), signal) };
    return {
        subscription: api.one(queries.subscription(chosen), signal),
        periods: api.send(queries.periods(chosen), signal),
    };
}

const every = (s) => t(`every.${s.interval_unit}`, { count: s.interval_count });
const customer = (s) => s.customer_email ?? s.customer_id;

function filter({ query }) {
    return html`
        <form class="filters" aria-label=${t('filters')} @submit=${(event) => event.preventDefault()}>
            <div class="row">${parts.field(
                t('sessions.status'),
                parts.select(
                    'status',
                    query.status,
                    [['', t('any')], ...STATUSES.map((status) => [status, t(`status.${status}`)])],
                    (event) => go(['subscriptions'], { status: event.target.value }),
                ),
            )}</div>
        </form>`;
}

function list(rows, { query }) {
    if (rows.length === 0) return parts.empty(t('subscriptions.none'), t('subscriptions.none.advice'));
    const seen = rows.slice(0, queries.PAGE);
    const next = rows.length > queries.PAGE ? link(['subscriptions'], { ...query, after: seen.at(-1).subscription_id }) : null;
    return html`${table(
        t('subscriptions.title'),
        [
            {
                label: t('subscriptions.customer'),
                cell: (s) => html`<a class="cover" href=${link(['subscriptions', s.subscription_id])}>${customer(s)}</a>`,
            },
            { label: t('sessions.status'), cell: (s) => badge(s.status) },
            { label: t('sessions.amount'), number: true, cell: (s) => money(s.amount, s.currency_code) },
            { label: t('subscriptions.every'), wide: true, cell: every },
            { label: t('subscriptions.product'), wide: true, cell: (s) => s.product_id },
            { label: t('subscriptions.paid_until'), cell: (s) => time(s.current_period_end) },
        ],
        seen,
    )}
    ${parts.pages(query.after ? link(['subscriptions'], { ...query, after: null }) : null, next)}`;
}

const sessions = (rows) =>
    rows.length === 0
        ? html`<p class="quiet">${t('subscriptions.no_sessions')}</p>`
        : table(
              t('subscriptions.periods'),
              [
                  {
                      label: t('sessions.title'),
                      cell: (p) => html`<a class="cover" href=${link(['sessions', p.checkout_session_id])}><code>${p.checkout_session_id}</code></a>`,
                  },
                  {
                      label: t('subscriptions.period'),
                      cell: (p) => (p.period_start ? html`${time(p.period_start)} – ${time(p.period_end)}`
                          : t(p.trial ? 'subscriptions.trial' : 'subscriptions.first')),
                  },
              ],
              rows,
          );

function one({ route, retry }, results) {
    const back = parts.breadcrumb(link(['subscriptions']), t('subscriptions.title'));
    const found = results.subscription;
    if (found && 'value' in found && !found.value) {
        return html`${back}<h1 tabindex="-1">${t('subscriptions.missing')}</h1>
            ${parts.empty(t('subscriptions.missing'), t('subscriptions.missing.advice'))}`;
    }
    return html`${back}
        <header class="top"><h1 tabindex="-1">${found?.value ? customer(found.value) : route.parts[1]}</h1>
            ${found?.value ? badge(found.value.status) : nothing}</header>
        ${show(
            found,
            (s) => card(
                t('session.details'),
                facts([
                    [t('sessions.amount'), html`${money(s.amount, s.currency_code)}, ${every(s)}`],
                    [t('subscriptions.product'), html`<a href=${link(['products', s.product_id])}>${s.product_id}</a>`],
                    [t('subscriptions.price'), s.price_id],
                    [t('subscriptions.quantity'), number(s.quantity)],
                    [t('subscriptions.periods_paid'), number(s.periods_paid)],
                    [t('subscriptions.paid_until'), time(s.current_period_end)],
                    [t('subscriptions.ends_at'), time(s.ends_at)],
                    [t('subscriptions.trial_end'), s.trial_end && time(s.trial_end)],
                    [t('subscriptions.canceled_at'), s.canceled_at && time(s.canceled_at)],
                    [t('subscriptions.cancels'), s.cancel_at_period_end ? t('yes') : null],
                    [t('subscriptions.time_zone'), s.time_zone],
                    [t('sessions.created'), time(s.created_at)],
                ]),
            ),
            retry,
            6,
        )}
        ${card(t('subscriptions.periods'), show(results.periods, sessions, retry, 3))}`;
}

export function view(context, results) {
    if (context.route.parts[1]) return one(context, results);
    return html`<header class="top"><h1 tabindex="-1">${t('subscriptions.title')}</h1></header>
        ${filter(context.route)}
        ${show(results.subscriptions, (rows) => list(rows, context.route), context.retry, 8)}`;
}
