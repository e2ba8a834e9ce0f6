// What the buyer pays for: the lines, the promotion code and the sums.

import { html, nothing } from '../../vendor/lit-html.js';
import { pictureLink } from '../../shared/links.js';
import { fieldError, icon, invalid } from './parts.js';

export function summary({ form, words }, editable) {
    const { session } = form;
    const t = words.text;
    const lines = session.lines ?? [];
    const items = lines.filter(({ kind }) => kind === 'item');
    const others = lines.filter(({ kind }) => kind !== 'item');
    const pictures = items.some((line) => pictureLink(line.image_url));
    return html`
        <section class="summary" aria-labelledby="merchant">
            <h1 id="merchant"><span class="merchant-mark" aria-hidden="true">${[...session.organization_name][0]}</span>
                <span class="merchant-name">${session.organization_name}</span></h1>
            <p class="due"><span class="visually-hidden">${t('total')}: </span>${form.money(session.amount)}</p>
            ${session.description && items.length ? html`<p class="description">${session.description}</p>` : nothing}
            <h2 class="visually-hidden">${t('your_order')}</h2>
            <ul class="lines">
                ${items.length ? items.map((line) => item(line, { form, words, pictures }, editable))
                    : plain({ form, words })}
            </ul>
            ${session.allow_coupon_code || session.coupon_code ? coupon({ form, words }, editable) : nothing}
            <dl class="sums" aria-busy=${form.quantities.size > 0 ? 'true' : nothing}>
                ${Number(session.discount) > 0 || others.length > 0
                    ? sum(t('subtotal'), form.money(session.subtotal)) : nothing}
                ${Number(session.discount) > 0
                    ? sum(t('discount'), form.money(`-${session.discount}`), 'discount') : nothing}
                ${others.map((line) => sum(line.title ?? t(line.kind), form.money(line.total)))}
                ${sum(t('total'), form.money(session.amount), 'total')}
            </dl>
            ${session.recurrence ? recurrence({ form, words }) : nothing}
        </section>`;
}

/** What the buyer agrees to pay again. */
function recurrence({ form, words }) {
    const { amount, interval_unit: unit, interval_count: count, trial_end: trial, period_start: start, period_end: end } =
        form.session.recurrence;
    const t = words.text;
    const date = (at) => new Intl.DateTimeFormat(words.locale, { dateStyle: 'long' }).format(new Date(at));
    const every = t(`every.${unit}`, { count, amount: form.money(amount) });
    return html`<p class="recurrence">${trial ? t('trial_until', { date: date(trial), every })
        : start ? t('renewal_of', { start: date(start), end: date(end), every }) : every}</p>`;
}

const sum = (name, value, kind = '') => html`<div class="sum ${kind}"><dt>${name}</dt><dd>${value}</dd></div>`;

/** A session that says only an amount. */
function plain({ form, words }) {
    const { title, description, quantity, subtotal } = form.session;
    return html`<li class="line"><div class="line-text">
            <p class="line-title">${title ?? words.text('order')}</p>
            ${description ? html`<p class="line-more">${description}</p>` : nothing}
            ${quantity > 1 ? html`<p class="line-more">${words.text('quantity')}: ${quantity}</p>` : nothing}
        </div><p class="line-sum">${form.money(subtotal)}</p></li>`;
}

function item(line, { form, words, pictures }, editable) {
    const { session } = form;
    const title = line.title ?? session.title ?? words.text('item');
    const picture = pictureLink(line.image_url);
    const anyQuantity = editable && session.allow_quantity && line.maximum_quantity !== line.minimum_quantity;
    const anyAmount = editable && line.minimum_amount !== null;
    return html`
        <li class="line">
            ${picture ? html`<img class="line-picture" src=${picture} alt="" width="56" height="56" referrerpolicy="no-referrer"
                @error=${(event) => { event.target.style.visibility = 'hidden'; }}>`
                : pictures ? html`<span class="line-picture none">${icon('tag')}</span>` : nothing}
            <div class="line-text">
                <p class="line-title">${title}</p>
                ${anyAmount ? nothing : line.quantity > 1 && !anyQuantity
                    ? html`<p class="line-more">${words.text('times', { quantity: line.quantity, amount: form.money(line.unit_amount) })}</p>`
                    : line.quantity > 1
                        ? html`<p class="line-more">${words.text('each', { amount: form.money(line.unit_amount) })}</p>` : nothing}
                ${anyAmount ? amountField(line, title, { form, words }) : nothing}
                ${anyQuantity ? stepper(line, title, { form, words }) : nothing}
            </div>
            <p class="line-sum">${Number(line.subtotal) === 0 ? words.text('free') : form.money(line.subtotal)}</p>
        </li>`;
}

function stepper(line, title, { form, words }) {
    const id = `quantity-${line.line}`;
    const quantity = form.quantities.get(line.line) ?? line.quantity;
    const to = (wanted) => () => form.setQuantity(line, wanted);
    return html`
        <div class="stepper">
            <button type="button" aria-label=${words.text('less', { title })} @click=${to(quantity - 1)}>${icon('minus')}</button>
            <input id=${id} type="text" inputmode="numeric" autocomplete="off" maxlength="9" .value=${String(quantity)}
                aria-label=${words.text('quantity_of', { title })} aria-invalid=${invalid(form, id)} aria-describedby="${id}-error"
                @change=${(event) => {
                    form.setQuantity(line, event.target.value);
                    // What cannot be is not kept; lit-html writes only what has changed.
                    if (form.errors[id]) event.target.value = String(quantity);
                }}>
            <button type="button" aria-label=${words.text('more', { title })} @click=${to(quantity + 1)}>${icon('plus')}</button>
        </div>
        <div role="status">${fieldError(form, words, id)}</div>`;
}

function amountField(line, title, { form, words }) {
    const id = `amount-${line.line}`;
    const t = words.text;
    const { minimum_amount: minimum, maximum_amount: maximum, suggested_amount: suggested } = line;
    const bounds = maximum === null ? t('amount_from', { minimum: form.money(minimum) })
        : t('amount_between', { minimum: form.money(minimum), maximum: form.money(maximum) });
    const shown = form.amounts.get(line.line) ?? new Intl.NumberFormat(words.locale, { useGrouping: false, maximumFractionDigits: 4 })
        .format(line.unit_amount);
    return html`
        <div class="amount">
            <label for=${id}>${t('your_amount')}<span class="visually-hidden">: ${title}</span></label>
            <div class="amount-field">
                <span class="amount-currency" aria-hidden="true">${form.session.currency_code}</span>
                <input id=${id} type="text" inputmode="decimal" autocomplete="off" maxlength="24" .value=${shown}
                    aria-invalid=${invalid(form, id)} aria-describedby="${id}-hint ${id}-error"
                    @change=${(event) => form.setAmount(line, event.target.value)}>
                ${suggested !== null && Number(suggested) !== Number(line.unit_amount)
                    ? html`<button type="button" class="quiet" @click=${() => form.setAmount(line, new Intl.NumberFormat(words.locale,
                        { useGrouping: false, maximumFractionDigits: 4 }).format(suggested))}
                        >${t('suggested', { amount: form.money(suggested) })}</button>` : nothing}
            </div>
            <p class="hint" id="${id}-hint">${bounds}</p>
            <div role="status">${fieldError(form, words, id)}</div>
        </div>`;
}

function coupon({ form, words }, editable) {
    const t = words.text;
    const { coupon_code: code } = form.session;
    if (code) {
        return html`
            <div class="coupon"><span class="coupon-code">${icon('tag')}<span>${code}</span>
                ${editable ? html`<button type="button" id="coupon-remove" aria-label=${t('coupon_remove', { code })}
                    @click=${() => form.removeCoupon()}>${icon('close')}</button>` : nothing}</span>
                <div role="status">${fieldError(form, words, 'coupon')}</div></div>`;
    }
    if (!editable) return nothing;
    if (!form.coupon.open) {
        return html`<div class="coupon"><button type="button" class="quiet" id="coupon-add" @click=${() => form.openCoupon(true)}
            >${t('coupon_add')}</button></div>`;
    }
    return html`
        <form class="coupon" novalidate @submit=${(event) => { event.preventDefault(); form.applyCoupon(); }}>
            <label for="coupon">${t('coupon_code')}</label>
            <div class="coupon-field">
                <input id="coupon" type="text" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="64"
                    .value=${form.coupon.code} aria-invalid=${invalid(form, 'coupon')} aria-describedby="coupon-error"
                    @input=${(event) => { form.coupon.code = event.target.value; }}
                    @keydown=${(event) => { if (event.key === 'Escape') { event.preventDefault(); form.openCoupon(false); } }}>
                <button type="submit" class="second" aria-busy=${form.busy === 'coupon' ? 'true' : nothing}>${t('coupon_apply')}</button>
            </div>
            <div role="status">${fieldError(form, words, 'coupon')}</div>
        </form>`;
}
