// Money to refund: payments that were taken, not accepted, and are not returned.

import { html } from '../../vendor/lit-html.js';
import { t, word } from '../i18n.js';
import * as parts from '../parts.js';
import * as queries from '../queries.js';
import { link } from '../router.js';

const FULL = 100;
const left = (p) => Number((p.amount - p.refunded_amount - p.pending_refund_amount).toFixed(6));

export const load = ({ api, route, signal }) => ({ payments: api.send(queries.toRefund(route.query.after), signal) });

const list = (rows, query) =>
    rows.length === 0
        ? parts.empty(t('refunds.none'), t('refunds.none.advice'))
        : html`${parts.table(
              t('refunds.title'),
              [
                  {
                      label: t('refunds.left'),
                      number: true,
                      cell: (p) => html`<a class="cover" href=${link(['sessions', p.checkout_session_id])}>
            ${parts.money(left(p), p.currency_code)}</a>`,
                  },
                  {
                      label: t('refunds.reason'),
                      text: true,
                      cell: (p) => html`<strong>${word('rejection', p.rejection_reason)}</strong><br>
            <span class="quiet">${word('rejection_advice', p.rejection_reason)}</span>`,
                  },
                  { label: t('session.payment_id'), text: true, wide: true, cell: (p) => parts.code(p.payment_id) },
                  { label: t('session.method'), text: true, wide: true, cell: (p) => parts.plain(p.payment_method) },
                  { label: t('refunds.paid'), wide: true, cell: (p) => parts.time(p.occurred_at ?? p.created_at) },
                  { label: t('session.title'), wide: true, cell: (p) => parts.shortId(p.checkout_session_id) },
              ],
              rows,
          )}
    ${parts.pages(query.after ? link(['refunds']) : null, rows.length === FULL ? link(['refunds'], { after: rows.at(-1).payment_id }) : null)}`;

export function view({ route, retry }, results) {
    return html`
        <header class="top"><h1 tabindex="-1">${t('refunds.title')}</h1></header>
        <p class="lead">${t('refunds.lead')}</p>
        ${parts.show(results.payments, (rows) => list(rows, route.query), retry)}`;
}
