// One session: what it sells, who pays, and what became of it.

import { html, nothing } from '../../vendor/lit-html.js';
import { number } from '../format.js';
import { t, word } from '../i18n.js';
import * as parts from '../parts.js';
import * as queries from '../queries.js';
import { link } from '../router.js';

const { card, code, empty, facts, money, plain, show, table, time } = parts;

export function load({ api, route, signal }) {
    const id = route.parts[1];
    const send = (query) => api.send(query, signal);
    const payments = async () => {
        const found = await send(queries.sessionPayments(id));
        const refunds = await Promise.all(
            found
                .filter(({ status }) => ['succeeded', 'rejected'].includes(status))
                .map(({ payment_id }) => send(queries.refunds(payment_id))),
        );
        return { payments: found, refunds: refunds.flat() };
    };
    const deliveries = async () => {
        const [endpoints, consumers] = await Promise.all([send(queries.endpoints()), send(queries.consumers())]);
        const found = await Promise.all([
            ...endpoints.map((endpoint) =>
                send(queries.sessionDeliveries(id, endpoint.webhook_endpoint_id)).then((rows) =>
                    rows.map((row) => ({ ...row, url: endpoint.url })),
                ),
            ),
            ...consumers.map(({ name }) => send(queries.consumerDeliveries(id, name))),
        ]);
        return found.flat();
    };
    return {
        session: api.one(queries.session(id), signal),
        lines: send(queries.sessionLines(id)),
        terms: api.one(queries.sessionTerms(id), signal),
        visit: api.one(queries.sessionVisit(id), signal),
        payments: payments(),
        events: send(queries.sessionEvents(id)),
        deliveries: deliveries(),
    };
}

const details = (s) => html`
    ${card(
        t('session.details'),
        facts([
            [t('sessions.id'), code(s.checkout_session_id)],
            [t('sessions.created'), time(s.created_at)],
            [t('session.expires'), time(s.expires_at)],
            [t('session.completed'), s.completed_at && time(s.completed_at)],
            [t('sessions.reference'), s.reference],
            [t('session.description'), s.description],
            [t('session.quantity'), number(s.quantity)],
            [t('session.attempts'), t('session.attempts_of', { attempts: s.attempts, limit: s.max_retry_attempts })],
            [t('session.payment_methods'), s.payment_methods?.join(', ')],
            [
                t('session.recovered_from'),
                s.recovered_from && html`<a href=${link(['sessions', s.recovered_from])}>${parts.shortId(s.recovered_from)}</a>`,
            ],
            [t('session.created_by'), s.created_by],
            [t('session.trace'), s.trace_id && code(s.trace_id)],
            [t('session.success_url'), s.success_url],
            [t('session.cancel_url'), s.cancel_url],
        ]),
    )}
    ${card(
        t('session.customer'),
        [s.customer_email, s.customer_name, s.customer_id, s.customer_phone, s.country].some(Boolean)
            ? facts([
                  [
                      t('sessions.email'),
                      s.customer_email &&
                          html`<a href=${link(['sessions'], { email: s.customer_email })}>${s.customer_email}</a>`,
                  ],
                  [t('session.name'), s.customer_name],
                  [t('session.customer_id'), s.customer_id],
                  [t('session.phone'), s.customer_phone],
                  [t('session.country'), s.country],
              ])
            : html`<p class="quiet">${t('session.no_customer')}</p>`,
    )}
    ${
        Object.keys(s.metadata ?? {}).length > 0
            ? card(
                  t('session.metadata'),
                  facts(
                      Object.entries(s.metadata).map(([key, value]) => [
                          key,
                          typeof value === 'string' ? value : code(JSON.stringify(value)),
                      ]),
                  ),
              )
            : nothing
    }`;

const visited = (visit) =>
    visit
        ? facts([
              [t('session.first_opened'), time(visit.first_opened_at)],
              [t('session.last_opened'), time(visit.last_opened_at)],
              [t('session.cancelled'), visit.cancelled_at && time(visit.cancelled_at)],
              [t('session.cancel_reason'), visit.reason_code && word('cancel', visit.reason_code)],
              [t('session.cancel_words'), visit.reason],
          ])
        : html`<p class="quiet">${t('session.not_opened')}</p>`;

function items(session, lines, terms) {
    if (lines.length === 0) return html`<p class="quiet">${t('session.no_lines')}</p>`;
    const of = (amount) => money(amount, session.currency_code);
    const sums =
        terms &&
        facts([
            [t('session.subtotal'), of(terms.subtotal)],
            [
                terms.coupon_code ? t('session.discount_by', { code: terms.coupon_code }) : t('session.discount'),
                terms.discount > 0 || terms.coupon_code ? of(0 - terms.discount) : null,
            ],
            [t('session.shipping'), terms.shipping > 0 ? of(terms.shipping) : null],
            [t('session.tax'), terms.tax > 0 ? of(terms.tax) : null],
            [t('session.fees'), terms.fees > 0 ? of(terms.fees) : null],
            [t('session.total'), html`<strong>${of(terms.amount)}</strong>`],
            [t('session.billing_address'), terms.billing_address && code(JSON.stringify(terms.billing_address))],
        ]);
    return html`${table(
        t('session.lines'),
        [
            {
                label: t('session.item'),
                text: true,
                cell: (line) =>
                    line.product_id
                        ? html`<a href=${link(['products', line.product_id])}>${line.title ?? line.product_id}</a>`
                        : plain(line.title ?? word('line', line.kind)),
            },
            { label: t('session.unit_amount'), number: true, wide: true, cell: (line) => of(line.unit_amount) },
            { label: t('session.quantity'), number: true, cell: (line) => number(line.quantity) },
            {
                label: t('session.discount'),
                number: true,
                wide: true,
                cell: (line) => (line.discount > 0 ? of(-line.discount) : plain(null)),
            },
            { label: t('session.sum'), number: true, cell: (line) => of(line.total) },
        ],
        lines,
    )}<div class="sums">${sums}</div>`;
}

const failureOf = (payment) => [payment.failure_code, payment.failure_message].filter(Boolean).join(': ');

function paid({ payments, refunds }) {
    if (payments.length === 0) return html`<p class="quiet">${t('session.no_payments')}</p>`;
    return html`${table(
        t('session.payments'),
        [
            { label: t('sessions.amount'), number: true, cell: (p) => money(p.amount, p.currency_code) },
            {
                label: t('sessions.status'),
                cell: (p) => html`${parts.badge(p.status)}<br>
            <span class="quiet">${p.rejection_reason ? word('rejection', p.rejection_reason) : failureOf(p)}</span>`,
            },
            { label: t('session.method'), text: true, wide: true, cell: (p) => plain(p.payment_method) },
            { label: t('session.payment_id'), text: true, cell: (p) => code(p.payment_id) },
            { label: t('sessions.created'), wide: true, cell: (p) => time(p.occurred_at ?? p.created_at) },
        ],
        payments,
    )}
    ${
        refunds.length > 0
            ? html`<h3>${t('session.refunds')}</h3>${table(
                  t('session.refunds'),
                  [
                      { label: t('sessions.amount'), number: true, cell: (r) => money(r.amount, r.currency_code) },
                      { label: t('sessions.status'), cell: (r) => parts.badge(r.status) },
                      { label: t('session.reason'), text: true, cell: (r) => plain(r.reason) },
                      { label: t('session.refund_id'), wide: true, cell: (r) => code(r.refund_id) },
                      { label: t('sessions.created'), wide: true, cell: (r) => time(r.created_at) },
                  ],
                  refunds,
              )}`
            : nothing
    }`;
}

const events = (rows) =>
    rows.length === 0
        ? html`<p class="quiet">${t('session.no_events')}</p>`
        : html`
    <ol class="timeline">${rows.map(
        (event) => html`<li><strong>${word('event', event.event_type)}</strong> ${parts.badge(event.status)}
        <br><span class="quiet">${time(event.created_at)} · <code>${event.event_type}</code></span></li>`,
    )}</ol>`;

const sent = (rows) =>
    rows.length === 0
        ? html`<p class="quiet">${t('session.no_deliveries')}</p>`
        : table(
              t('session.deliveries'),
              [
                  { label: t('webhooks.event'), cell: (d) => word('event', d.event_type) },
                  {
                      label: t('webhooks.receiver'),
                      text: true,
                      wide: true,
                      cell: (d) =>
                          d.webhook_endpoint_id
                              ? html`<a href=${link(['webhooks', d.webhook_endpoint_id], { event: d.event_id })}>${d.url}</a>`
                              : plain(d.consumer),
                  },
                  { label: t('sessions.status'), cell: (d) => parts.badge(d.status) },
                  { label: t('webhooks.attempts'), number: true, wide: true, cell: (d) => number(d.delivery_attempts) },
                  { label: t('webhooks.answer'), text: true, wide: true, cell: (d) => plain(d.last_status_code ?? d.last_error) },
              ],
              rows,
          );

export function view(context, results) {
    const { retry } = context;
    const back = parts.breadcrumb(link(['sessions']), t('sessions.title'));
    if ((results.session && 'value' in results.session && !results.session.value) || results.session?.error?.code === '22P02') {
        return html`${back}<h1 tabindex="-1">${t('session.missing')}</h1>${empty(t('session.missing'), t('session.missing.advice'))}`;
    }
    const session = results.session?.value;
    return html`
        ${back}
        <header class="top"><h1 tabindex="-1">${session ? money(session.amount, session.currency_code) : t('session.title')}</h1>
            ${session ? html`${parts.badge(session.status)}
                ${session.payment_status !== 'unpaid' ? parts.badge(session.payment_status) : nothing}` : nothing}
            <p class="subtitle">${session?.title}</p></header>
        <div class="columns">
            <div>
                ${card(
                    t('session.lines'),
                    show(
                        results.lines,
                        (lines) =>
                            show(
                                results.terms,
                                (terms) => show(results.session, (found) => items(found, lines, terms), retry, 3),
                                retry,
                                3,
                            ),
                        retry,
                        3,
                    ),
                )}
                ${card(t('session.payments'), show(results.payments, paid, retry, 2))}
                ${card(t('session.events'), show(results.events, events, retry, 3))}
                ${card(t('session.deliveries'), show(results.deliveries, sent, retry, 2))}
            </div>
            <div>${show(results.session, details, retry, 8)}
                ${card(t('session.visit'), show(results.visit, visited, retry, 2))}</div>
        </div>`;
}
