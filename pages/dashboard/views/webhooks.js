// Webhooks: endpoints, their deliveries and the attempts; dead ones can be sent again by who may act.

import { html, nothing } from '../../vendor/lit-html.js';
import { duration, number } from '../format.js';
import { t, word } from '../i18n.js';
import * as parts from '../parts.js';
import * as queries from '../queries.js';
import { link } from '../router.js';

const { badge, card, code, facts, plain, show, table, time } = parts;
const stateOf = ({ show: shown }) => (queries.DELIVERY_STATES.includes(shown) ? shown : 'all');
const pageOf = ({ page }) => (/^[1-9]\d{0,3}$/.test(page ?? '') ? Number(page) : 1);

export function load({
    api,
    route: {
        parts: [, id],
        query,
    },
    signal,
}) {
    const send = (what) => api.send(what, signal);
    if (!id) {
        return query.show === 'dead'
            ? { dead: send(queries.deadDeliveries()) }
            : { endpoints: send(queries.endpoints()), consumers: send(queries.consumers()) };
    }
    return {
        endpoints: send(queries.endpoints()),
        ...(query.event
            ? { attempts: send(queries.attempts(query.event, id)) }
            : { deliveries: send(queries.deliveries(id, stateOf(query), (pageOf(query) - 1) * queries.PAGE)) }),
    };
}

const eventTypes = ({ event_types }) => (event_types.includes('*') ? t('webhooks.every_event') : event_types.join(', '));
const health = (endpoint) => (endpoint.enabled ? (endpoint.failing_since ? 'failing' : 'enabled') : 'disabled');

/** The one act of this page. The server decides who may; others do not see it. */
function again(context, results, delivery) {
    if (!context.mayAct || delivery.status !== 'dead' || !delivery.webhook_endpoint_id) return nothing;
    const key = `redeliver ${delivery.event_id} ${delivery.webhook_endpoint_id}`;
    const state = results[key];
    if (state?.error) return html`<span class="bad-text" role="alert">${state.error.message || t('error.server.title')}</span>`;
    if (state && 'value' in state) return html`<span role="status">${t('webhooks.redelivered')}</span>`;
    return html`<button type="button" class="secondary small" ?disabled=${Boolean(state)} @click=${() => {
        context.run(key, context.api.send(queries.redeliver([delivery.event_id], delivery.webhook_endpoint_id)));
        context.redraw();
    }}>${t('webhooks.redeliver')}<span class="hidden"> ${delivery.event_type}, ${delivery.event_id}</span></button>`;
}

const deliveryColumns = (context, results, withReceiver) => [
    {
        label: t('webhooks.event'),
        cell: (d) =>
            d.webhook_endpoint_id
                ? html`<a href=${link(['webhooks', d.webhook_endpoint_id], { event: d.event_id })}>${word('event', d.event_type)}</a>`
                : word('event', d.event_type),
    },
    { label: t('sessions.status'), cell: (d) => badge(d.status) },
    ...(withReceiver
        ? [
              {
                  label: t('webhooks.receiver'),
                  text: true,
                  wide: true,
                  cell: (d) => (d.webhook_endpoint_id ? parts.shortId(d.webhook_endpoint_id) : plain(d.consumer)),
              },
          ]
        : []),
    { label: t('webhooks.attempts'), number: true, wide: true, cell: (d) => number(d.delivery_attempts) },
    {
        label: t('webhooks.answer'),
        text: true,
        wide: true,
        cell: (d) => plain([d.last_status_code, d.last_error].filter(Boolean).join(': ')),
    },
    { label: t('webhooks.last'), wide: true, cell: (d) => time(d.last_attempt_at ?? d.created_at) },
    {
        label: t('session.title'),
        wide: true,
        cell: (d) =>
            d.checkout_session_id
                ? html`<a href=${link(['sessions', d.checkout_session_id])}>${parts.shortId(d.checkout_session_id)}</a>`
                : plain(null),
    },
    ...(context.mayAct ? [{ label: t('webhooks.act'), cell: (d) => again(context, results, d) }] : []),
];

const endpointTable = (rows) =>
    rows.length === 0
        ? parts.empty(t('webhooks.none'), t('webhooks.none.advice'))
        : table(
              t('webhooks.endpoints'),
              [
                  {
                      label: t('webhooks.url'),
                      text: true,
                      cell: (e) => html`<a class="cover" href=${link(['webhooks', e.webhook_endpoint_id])}>${e.url}</a>`,
                  },
                  { label: t('sessions.status'), cell: (e) => badge(health(e)) },
                  { label: t('webhooks.event_types'), text: true, wide: true, cell: (e) => eventTypes(e) },
                  { label: t('webhooks.format'), wide: true, cell: (e) => e.body_format },
                  { label: t('webhooks.failing_since'), wide: true, cell: (e) => time(e.failing_since) },
              ],
              rows,
          );

const consumerTable = (rows) =>
    rows.length === 0
        ? html`<p class="quiet">${t('webhooks.no_consumers')}</p>`
        : table(
              t('webhooks.consumers'),
              [
                  { label: t('webhooks.name'), cell: (c) => c.name },
                  { label: t('webhooks.event_types'), text: true, cell: (c) => eventTypes(c) },
                  { label: t('sessions.created'), wide: true, cell: (c) => time(c.created_at) },
              ],
              rows,
          );

function deliveries(context, results, rows) {
    const {
        parts: [, id],
        query,
    } = context.route;
    const state = stateOf(query);
    const page = pageOf(query);
    const at = (number_) => link(['webhooks', id], { show: query.show, page: number_ > 1 ? number_ : '' });
    if (rows.length === 0) return parts.empty(t(`webhooks.none_${state}`), t(`webhooks.none_${state}.advice`));
    return html`${table(t('webhooks.deliveries'), deliveryColumns(context, results, false), rows.slice(0, queries.PAGE))}
        ${parts.pages(page > 1 ? at(page - 1) : null, rows.length > queries.PAGE ? at(page + 1) : null)}`;
}

const attemptTable = (rows) =>
    rows.length === 0
        ? parts.empty(t('webhooks.no_attempts'), t('webhooks.no_attempts.advice'))
        : table(
              t('webhooks.attempts'),
              [
                  { label: t('webhooks.attempt'), number: true, cell: (a) => number(a.attempt) },
                  { label: t('webhooks.at'), cell: (a) => time(a.recorded_at) },
                  {
                      label: t('webhooks.answer'),
                      text: true,
                      cell: (a) =>
                          html`${badge(a.status_code >= 200 && a.status_code < 300 ? 'succeeded' : 'failed')} ${plain(a.status_code)}`,
                  },
                  { label: t('webhooks.duration'), number: true, wide: true, cell: (a) => duration(a.duration) },
                  {
                      label: t('webhooks.response'),
                      text: true,
                      cell: (a) =>
                          html`${a.error ? html`<p>${a.error}</p>` : nothing}
                              ${a.response_body ? html`<pre tabindex="0">${a.response_body}</pre>` : nothing}`,
                  },
              ],
              rows,
          );

function one(context, results) {
    const {
        route: {
            parts: [, id],
            query,
        },
        retry,
    } = context;
    const endpoint = results.endpoints?.value?.find((found) => found.webhook_endpoint_id === id);
    const back = query.event
        ? parts.breadcrumb(link(['webhooks', id]), t('webhooks.deliveries'))
        : parts.breadcrumb(link(['webhooks']), t('webhooks.title'));
    if (results.endpoints?.value && !endpoint) {
        return html`${back}<h1 tabindex="-1">${t('webhooks.missing')}</h1>${parts.empty(t('webhooks.missing'), t('webhooks.missing.advice'))}`;
    }
    return html`${back}
        <header class="top"><h1 tabindex="-1" class="address">${endpoint?.url ?? t('webhooks.endpoint')}</h1>
            ${endpoint ? badge(health(endpoint)) : nothing}</header>
        ${endpoint?.disabled_reason ? html`
            <div class="notice warning"><strong>${word('disabled', endpoint.disabled_reason)}</strong><p>${t('webhooks.disabled.advice')}</p></div>` : nothing}
        ${
            query.event
                ? card(
                      t('webhooks.attempts'),
                      html`<p class="quiet">${code(query.event)}</p>${show(results.attempts, attemptTable, retry, 3)}`,
                  )
                : html`
            ${show(
                results.endpoints,
                () =>
                    card(
                        t('session.details'),
                        facts([
                            [t('webhooks.id'), code(endpoint.webhook_endpoint_id)],
                            [t('session.description'), endpoint.description],
                            [t('webhooks.event_types'), eventTypes(endpoint)],
                            [t('webhooks.format'), endpoint.body_format],
                            [t('webhooks.scheme'), endpoint.signature_scheme],
                            [t('webhooks.failing_since'), endpoint.failing_since && time(endpoint.failing_since)],
                            [t('sessions.created'), time(endpoint.created_at)],
                        ]),
                    ),
                retry,
                3,
            )}
            ${card(
                t('webhooks.deliveries'),
                html`
                <nav class="tabs" aria-label=${t('filters')}>${queries.DELIVERY_STATES.map(
                    (state) => html`<a href=${link(['webhooks', id], { show: state === 'all' ? '' : state })}
                    aria-current=${state === stateOf(query) ? 'true' : nothing}>${t(`webhooks.show_${state}`)}</a>`,
                )}</nav>
                ${show(results.deliveries, (rows) => deliveries(context, results, rows), retry, 6)}`,
            )}`
        }`;
}

export function view(context, results) {
    const {
        route: {
            parts: [, id],
            query,
        },
        retry,
    } = context;
    if (id) return one(context, results);
    const dead = query.show === 'dead';
    return html`
        <header class="top"><h1 tabindex="-1">${t('webhooks.title')}</h1></header>
        <nav class="tabs" aria-label=${t('webhooks.title')}>
            <a href=${link(['webhooks'])} aria-current=${dead ? nothing : 'true'}>${t('webhooks.receivers')}</a>
            <a href=${link(['webhooks'], { show: 'dead' })} aria-current=${dead ? 'true' : nothing}>${t('webhooks.dead')}</a></nav>
        ${
            dead
                ? html`<p class="lead">${t('webhooks.dead.lead')}</p>
                    ${context.mayAct ? nothing : html`<p class="quiet">${t('webhooks.dead.who')}</p>`}
            ${show(
                results.dead,
                (rows) =>
                    rows.length === 0
                        ? parts.empty(t('webhooks.none_dead'), t('webhooks.none_dead.advice'))
                        : table(t('webhooks.dead'), deliveryColumns(context, results, true), rows),
                retry,
            )}`
                : html`
            ${card(t('webhooks.endpoints'), show(results.endpoints, endpointTable, retry, 3))}
            ${card(t('webhooks.consumers'), show(results.consumers, consumerTable, retry, 2))}`
        }`;
}
