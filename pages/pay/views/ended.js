// What is shown in place of the payment: while it is loaded or waits, and once it has ended.

import { html, nothing } from '../../vendor/lit-html.js';
import { returnLink } from '../../shared/links.js';
import { failureWords } from './payment.js';
import { alarm, icon, spinner } from './parts.js';

/** A picture, a heading that gets the focus, and what follows. */
function message(kind, picture, title, ...more) {
    return html`<section class="message ${kind}"><div class="message-picture">${picture}</div>
        <h2 id="message-title" tabindex="-1">${title}</h2>${more}</section>`;
}

/** All that there is on the page. */
const alone = (picture, title, ...more) => html`<section class="message"><div class="message-picture">${icon(picture)}</div>
    <h1 id="message-title" tabindex="-1">${title}</h1>${more}</section>`;

const back = ({ form, words }, kind = 'second') => {
    const link = returnLink(form.session.cancel_url);
    return link ? html`<p><a class="button ${kind}" href=${link} target="_top" rel="noreferrer"
        >${words.text('back_to', { merchant: form.session.organization_name })}</a></p>` : nothing;
};

export const loading = ({ words }) => html`
    <section class="loading" aria-busy="true"><h1 class="visually-hidden" role="status">${words.text('loading')}</h1>
        <div class="bone short"></div><div class="bone tall"></div><div class="bone"></div><div class="bone"></div></section>`;

export const unloaded = ({ words, checkout }) => alone('offline', words.text('offline_title'),
    html`<p>${words.text('offline_text')}</p>
    <p><button type="button" @click=${() => checkout.refresh()}>${words.text('try_now')}</button></p>`);

export const missing = ({ words }) =>
    alone('question', words.text('missing_title'), html`<p>${words.text('missing_text')}</p>`);

export const framed = ({ words }) => alone('lock', words.text('framed_title'), html`<p>${words.text('framed_text')}</p>
    <p><a class="button" href=${location.href} target="_top">${words.text('framed_open')}</a></p>`);

export function processing({ form, words }) {
    const t = words.text;
    return message('calm', spinner, t('processing_title'), html`<p>${t('processing_text')}</p>
        ${form.methodLink ? html`<p><button type="button" class="second" @click=${() => form.go(form.methodLink)}
            >${t('processing_resume')}</button></p>` : nothing}
        <p><button type="button" class="quiet" id="leave" @click=${() => form.askToLeave()}>${t('cancel')}</button></p>`);
}

export function complete({ form, words }) {
    const t = words.text;
    const { session } = form;
    const merchant = session.organization_name;
    const link = returnLink(session.success_url);
    const free = session.payment_status === 'no_payment_required';
    return message('good', icon('check'), t('complete_title'),
        html`<p>${free ? t('complete_free', { merchant }) : t('complete_paid', { total: form.money(session.amount), merchant })}</p>`,
        link && !form.frame ? html`<p class="hint">${t('complete_leaving', { merchant })}</p>` : nothing,
        link ? html`<p><a class="button" href=${link} target="_top" rel="noreferrer">${t('complete_return', { merchant })}</a></p>`
            : html`<p class="hint">${t('complete_stay')}</p>`);
}

export function failed({ form, words }) {
    const { organization_name: merchant, failure_code: code } = form.session;
    return message('bad', icon('cross'), words.text('failed_title'),
        html`<p>${failureWords(words, code)} ${words.text('failed_text', { merchant })}</p>`, back({ form, words }, ''));
}

export function expired({ form, words }) {
    const t = words.text;
    const { can_restart: can, organization_name: merchant } = form.session;
    return message('', icon('clock'), t('expired_title'), html`<p>${t('expired_text', { merchant })}</p>${alarm(form, words, 'restart')}
        ${can ? html`<p><button type="button" aria-busy=${form.busy === 'restart' ? 'true' : nothing} @click=${() => form.restart()}
            >${t('start_again')}</button></p>` : nothing}`, back({ form, words }, can ? 'second' : ''));
}

export const soldOut = ({ form, words }) => message('', icon('tag'), words.text('sold_out_title'),
    html`<p>${words.text('sold_out_text')}</p><p class="hint">${words.text('sold_out_waiting')}</p>`, back({ form, words }, ''));

export const left = ({ form, words }) => message('', icon('check'), words.text('left_title'),
    html`<p>${words.text('left_text')}</p>
    <p><button type="button" class="second" @click=${() => form.stay()}>${words.text('left_return')}</button></p>`);
