// Products and their stock; a product with its prices.

import { html, nothing } from '../../vendor/lit-html.js';
import { number } from '../format.js';
import { t, word } from '../i18n.js';
import * as parts from '../parts.js';
import * as queries from '../queries.js';
import { link } from '../router.js';

const { badge, card, code, facts, money, plain, show, table, time } = parts;
/** So many available units or fewer are low. */
export const LOW = 5;
const SHOWN = ['active', 'low', 'archived'];
const shownOf = (query) => (SHOWN.includes(query.show) ? query.show : 'active');

export function load({ api, route, signal }) {
    const id = route.parts[1];
    const send = (query) => api.send(query, signal);
    if (id)
        return {
            product: api.one(queries.product(id), signal),
            prices: send(queries.prices(id)),
            changes: send(queries.stockChanges(id)),
        };
    const shown = shownOf(route.query);
    return { products: send(shown === 'low' ? queries.lowStock(LOW) : queries.products(shown === 'active', route.query.after)) };
}

function stock(product) {
    if (product.on_hand === null) return badge('untracked');
    if (product.available > LOW) return badge('in_stock');
    if (product.available > 0) return badge('low');
    return badge(product.continue_selling ? 'backorder' : 'sold_out');
}

const units = (value) => (value === null ? plain(null) : number(value));

function list(rows, { query }) {
    const shown = shownOf(query);
    if (rows.length === 0) return parts.empty(t(`products.none_${shown}`), t(`products.none_${shown}.advice`));
    const paged = shown !== 'low';
    const seen = paged ? rows.slice(0, queries.PAGE) : rows;
    return html`${table(
        t('products.title'),
        [
            {
                label: t('products.name'),
                text: true,
                cell: (p) => html`<a class="cover" href=${link(['products', p.product_id])}>${p.name}</a>`,
            },
            { label: t('products.id'), wide: true, cell: (p) => code(p.product_id) },
            { label: t('products.stock'), cell: stock },
            { label: t('products.on_hand'), number: true, wide: true, cell: (p) => units(p.on_hand) },
            { label: t('products.held'), number: true, wide: true, cell: (p) => units(p.held) },
            { label: t('products.available'), number: true, cell: (p) => units(p.available) },
        ],
        seen,
    )}
    ${
        paged
            ? parts.pages(
                  query.after ? link(['products'], { show: query.show }) : null,
                  rows.length > queries.PAGE ? link(['products'], { show: query.show, after: seen.at(-1).product_id }) : null,
              )
            : nothing
    }`;
}

function price(p) {
    if (p.amount !== null) return money(p.amount, p.currency_code);
    const bounds = [p.minimum_amount, p.maximum_amount].map((amount) => (amount === null ? '…' : money(amount, p.currency_code)));
    return html`${t('products.buyer_chooses')} ${bounds[0]} – ${bounds[1]}`;
}

function one({ retry }, results) {
    const back = parts.breadcrumb(link(['products']), t('products.title'));
    const found = results.product;
    if (found && 'value' in found && !found.value) {
        return html`${back}<h1 tabindex="-1">${t('products.missing')}</h1>${parts.empty(t('products.missing'), t('products.missing.advice'))}`;
    }
    const product = found?.value;
    return html`${back}
        <header class="top"><h1 tabindex="-1">${product?.name ?? t('products.product')}</h1>
            ${product ? html`${badge(product.active ? 'active' : 'archived')} ${stock(product)}` : nothing}</header>
        ${show(
            found,
            (p) => html`
            ${
                p.on_hand === null
                    ? nothing
                    : html`<div class="figures">${['on_hand', 'held', 'available'].map(
                          (name) => html`
                <div class="figure"><span class="label">${t(`products.${name}`)}</span><strong>${number(p[name])}</strong>
                    <span class="quiet">${t(`products.${name}.means`)}</span></div>`,
                      )}</div>`
            }
            ${card(
                t('session.details'),
                facts([
                    [t('products.id'), code(p.product_id)],
                    [t('session.description'), p.description],
                    [t('sessions.created'), time(p.created_at)],
                    [t('products.continue_selling'), p.continue_selling === null ? null : t(p.continue_selling ? 'yes' : 'no')],
                    ...Object.entries(p.metadata ?? {}).map(([key, value]) => [
                        key,
                        typeof value === 'string' ? value : code(JSON.stringify(value)),
                    ]),
                ]),
            )}`,
            retry,
            4,
        )}
        ${card(
            t('products.prices'),
            show(
                results.prices,
                (rows) =>
                    rows.length === 0
                        ? parts.empty(t('products.no_prices'), t('products.no_prices.advice'))
                        : table(
                              t('products.prices'),
                              [
                                  { label: t('sessions.amount'), number: true, cell: price },
                                  {
                                      label: t('sessions.status'),
                                      cell: (p) =>
                                          html`${badge(p.active ? 'active' : 'archived')}
                                              ${p.is_default ? html`<span class="quiet">${t('products.default')}</span>` : nothing}`,
                                  },
                                  { label: t('products.price_id'), cell: (p) => code(p.price_id) },
                                  { label: t('session.description'), text: true, wide: true, cell: (p) => plain(p.description) },
                                  {
                                      label: t('products.quantities'),
                                      number: true,
                                      wide: true,
                                      cell: (p) =>
                                          `${number(p.minimum_quantity)} – ${p.maximum_quantity === null ? '…' : number(p.maximum_quantity)}`,
                                  },
                              ],
                              rows,
                          ),
                retry,
                2,
            ),
        )}
        ${card(
            t('products.changes'),
            show(
                results.changes,
                (rows) =>
                    rows.length === 0
                        ? html`<p class="quiet">${t('products.no_changes')}</p>`
                        : table(
                              t('products.changes'),
                              [
                                  { label: t('sessions.created'), cell: (c) => time(c.created_at) },
                                  {
                                      label: t('products.change'),
                                      number: true,
                                      cell: (c) => (c.change > 0 ? `+${number(c.change)}` : number(c.change)),
                                  },
                                  { label: t('products.on_hand'), number: true, cell: (c) => number(c.on_hand) },
                                  {
                                      label: t('session.reason'),
                                      text: true,
                                      cell: (c) => (c.reason === null ? plain(null) : word('stock', c.reason)),
                                  },
                                  {
                                      label: t('products.by'),
                                      wide: true,
                                      cell: (c) => plain(c.created_by ?? t('products.worker')),
                                  },
                              ],
                              rows,
                          ),
                retry,
                4,
            ),
        )}`;
}

export function view(context, results) {
    const { route, retry } = context;
    if (route.parts[1]) return one(context, results);
    const shown = shownOf(route.query);
    return html`
        <header class="top"><h1 tabindex="-1">${t('products.title')}</h1></header>
        <nav class="tabs" aria-label=${t('filters')}>${SHOWN.map(
            (name) => html`<a href=${link(['products'], { show: name === 'active' ? '' : name })}
            aria-current=${name === shown ? 'true' : nothing}>${t(`products.show_${name}`, { number: LOW })}</a>`,
        )}</nav>
        ${show(results.products, (rows) => list(rows, route), retry, 8)}`;
}
