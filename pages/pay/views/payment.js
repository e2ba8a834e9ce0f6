// How the buyer pays: the address, the payment method and the button.

import { html, nothing } from '../../vendor/lit-html.js';
import { countries } from '../countries.js';
import { clock, isShort, isShown } from '../countdown.js';
import { alarm, fieldError, icon, invalid, methodIcon, spinner } from './parts.js';

export function payment({ form, words, checkout }) {
    const t = words.text;
    const { session } = form;
    const busy = form.busy === 'pay';
    return html`
        <section class="payment" aria-labelledby="payment-title">
            <h2 id="payment-title" class="visually-hidden">${t('pay_to', { merchant: session.organization_name })}</h2>
            ${declined({ form, words })}
            <form novalidate aria-labelledby="payment-title" @submit=${(event) => { event.preventDefault(); form.pay(); }}>
                ${session.require_billing_address ? address({ form, words }) : nothing}
                ${form.isFree ? html`<p class="lead">${t('nothing_due')}</p>` : methods({ form, words })}
                ${alarm(form, words, 'pay')}
                <button type="submit" class="pay" aria-busy=${busy ? 'true' : nothing}>
                    ${busy ? html`${spinner}<span>${t('one_moment')}</span>`
                        : form.isFree ? t('complete_order') : t('pay_amount', { amount: form.money(session.amount) })}
                </button>
                ${beneath({ form, words })}
            </form>
            <div class="under">
                ${countdown({ checkout, words })}
                <button type="button" class="quiet" id="leave" @click=${() => form.askToLeave()}>${t('cancel')}</button>
            </div>
        </section>`;
}

function beneath({ form, words }) {
    const t = words.text;
    if (form.isFree) return nothing;
    if (form.methodLink) return html`<p class="hint centered">${icon('lock')}<span>${t('to_provider')}</span></p>`;
    if (form.isTest) return html`<p class="hint centered">${t('test_pay', { scenario: t('scenario.complete') })}</p>`;
    return nothing;
}

export function failureWords(words, code) {
    const key = `failure.${code}`;
    return words.text(words.has(key) ? key : 'failure.unknown');
}

/** The last attempt has failed, and the buyer may try again. */
function declined({ form, words }) {
    const { attempts, failure_code: code } = form.session;
    return html`<div role="alert">${attempts > 0 ? html`
        <div class="notice notice-bad">${icon('alert')}<div>
            <p><strong>${failureWords(words, code)}</strong></p>
            <p>${words.text('try_again')}</p></div></div>` : nothing}</div>`;
}

function methods({ form, words }) {
    const t = words.text;
    return html`
        <fieldset class="methods">
            <legend>${t('payment_method')}</legend>
            ${(form.session.payment_methods ?? []).map((method) => html`
                <label class="method">
                    <input type="radio" name="method" value=${method} .checked=${form.chosenMethod === method}
                        @change=${() => form.choose(method)}>
                    <span class="method-name">${words.word('method', method)}</span>
                    ${methodIcon(method)}
                </label>`)}
        </fieldset>`;
}

function address({ form, words }) {
    const t = words.text;
    if (!form.needsAddress) {
        return html`
            <div class="address-saved"><h3>${t('billing_address')}</h3>
                <p>${icon('check')}<span>${t('address_saved')}</span>
                <button type="button" class="quiet" @click=${() => form.changeAddress()}
                    >${t('address_change')}</button></p></div>`;
    }
    const field = (name, token, more = {}) => {
        const id = `address-${name}`;
        return html`
            <div class="field ${name}">
                <label for=${id}>${t(`address.${name}`)}${more.optional ? html` <span class="hint">(${t('optional')})</span>` : nothing}</label>
                <input id=${id} name=${name} type="text" autocomplete="billing ${token}" maxlength="255"
                    aria-required=${more.optional ? nothing : 'true'} aria-invalid=${invalid(form, id)} aria-describedby="${id}-error"
                    .value=${form.address[name] ?? ''} @input=${(event) => form.setAddress(name, event.target.value)}>
                ${fieldError(form, words, id)}
            </div>`;
    };
    return html`
        <fieldset class="address">
            <legend>${t('billing_address')}</legend>
            ${field('name', 'name')}
            <div class="field country">
                <label for="address-country">${t('address.country')}</label>
                <select id="address-country" name="country" autocomplete="billing country" aria-required="true"
                    aria-invalid=${invalid(form, 'address-country')} aria-describedby="address-country-error"
                    @change=${(event) => form.setAddress('country', event.target.value)}>
                    <option value="" ?selected=${!form.address.country}>${t('choose_country')}</option>
                    ${countries(words.locale).map(([code, name]) => html`<option value=${code}
                        ?selected=${form.address.country === code}>${name}</option>`)}
                </select>
                ${fieldError(form, words, 'address-country')}
            </div>
            ${field('line1', 'address-line1')}
            ${field('line2', 'address-line2', { optional: true })}
            ${field('postal_code', 'postal-code', { optional: true })}
            ${field('city', 'address-level2')}
            ${field('state', 'address-level1', { optional: true })}
        </fieldset>`;
}

/** Not read aloud each second: main.js announces it at 10, 5 and 1 minutes. */
export function countdown({ checkout, words }) {
    const left = checkout.left();
    if (!isShown(left)) return nothing;
    return html`<p class="countdown ${isShort(left) ? 'short' : ''}">${icon('clock')}<span>${words.text('minutes_left')}</span>
        <span role="timer" aria-live="off">${clock(left)}</span></p>`;
}
