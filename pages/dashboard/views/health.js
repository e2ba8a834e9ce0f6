// For administrators: how the worker and the relay are.

import { html, nothing } from '../../vendor/lit-html.js';
import { duration, number, seconds } from '../format.js';
import { t, word } from '../i18n.js';
import * as parts from '../parts.js';
import * as queries from '../queries.js';

const { card, facts, plain, show, table, time } = parts;
const TROUBLE = ['failing', 'no worker slot', 'read only', 'no launcher', 'not preloaded'];
/** A delivery that waits longer than this should be looked at. */
const LATE = 300;

export const load = ({ api, signal }) => ({
    worker: api.one(queries.workerStatus(), signal),
    outbox: api.send(queries.outboxStatus(), signal),
});

const worker = (w) => html`
    <p><span class="badge ${TROUBLE.includes(w.state) ? 'bad' : 'good'}"><span aria-hidden="true">${TROUBLE.includes(w.state) ? '✕' : '✓'}</span>
        ${word('worker', w.state)}</span></p>
    ${w.last_error ? html`
        <div class="notice bad"><strong>${t('health.last_error')}</strong><p>${w.last_error}</p>
            <p class="quiet">${time(w.last_error_at)}</p></div>` : nothing}
    ${facts([
        [t('health.overdue'), number(w.overdue ?? 0)],
        [t('health.lag'), w.lag && duration(w.lag)],
        [t('health.last_sweep'), w.last_sweep_at && time(w.last_sweep_at)],
        [t('health.next_sweep'), w.next_sweep_at && time(w.next_sweep_at)],
        [t('health.next_deadline'), w.next_deadline && time(w.next_deadline)],
        [t('health.failures'), number(w.failures ?? 0)],
    ])}`;

const outbox = (rows) =>
    rows.length === 0
        ? parts.empty(t('health.no_receivers'), t('health.no_receivers.advice'))
        : table(
              t('health.relay'),
              [
                  { label: t('webhooks.receiver'), text: true, cell: (r) => plain(r.url ?? r.consumer) },
                  {
                      label: t('sessions.status'),
                      cell: (r) =>
                          parts.badge(
                              r.enabled === false ? 'disabled' : r.failing_since || seconds(r.lag) > LATE ? 'failing' : 'enabled',
                          ),
                  },
                  { label: t('health.lag'), number: true, cell: (r) => duration(r.lag) },
                  { label: t('health.pending'), number: true, cell: (r) => number(r.pending + r.leased) },
                  { label: t('status.dead'), number: true, cell: (r) => number(r.dead) },
              ],
              rows,
          );

export function view({ retry }, results) {
    return html`
        <header class="top"><h1 tabindex="-1">${t('health.title')}</h1>
            <button type="button" class="secondary" @click=${retry}>${t('health.refresh')}</button></header>
        ${card(t('health.worker'), show(results.worker, worker, retry, 3))}
        ${card(t('health.relay'), show(results.outbox, outbox, retry, 4))}`;
}
