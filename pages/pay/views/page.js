// The whole page, for each phase of the session.

import { html, nothing } from '../../vendor/lit-html.js';
import * as ended from './ended.js';
import { leaveDialog } from './leave.js';
import { icon } from './parts.js';
import { payment } from './payment.js';
import { summary } from './summary.js';

const IN_PLACE = {
    processing: ended.processing, complete: ended.complete, failed: ended.failed, expired: ended.expired, sold_out: ended.soldOut,
};
const SCENARIOS = ['complete', 'decline:card_declined', 'decline:insufficient_funds', 'slow', 'fail', 'expire', 'late',
    'wrong_amount', 'twice', 'refund'];
const WHILE_PROCESSING = ['slow', 'complete', 'decline:card_declined', 'fail'];

export function page(all) {
    const { checkout, form, words } = all;
    const hasLeft = form.hasLeft && checkout.phase === 'open';
    return html`
        ${form.session?.environment === 'test' ? testBanner(all) : nothing}
        <p class="connection ${checkout.offline && checkout.session ? 'shown' : ''}" role="status">${checkout.offline && checkout.session
            ? html`${icon('offline')}<span>${words.text(navigator.onLine ? 'trouble' : 'offline')}</span>` : nothing}</p>
        <main class=${checkout.session && !all.isFramed ? 'columns' : 'single'}>${content(all, hasLeft)}</main>
        ${footer(all)}
        ${form.session && !all.isFramed ? leaveDialog(all) : nothing}
        <p class="visually-hidden" role="status" id="announcer">${all.announced ?? nothing}</p>`;
}

function content(all, hasLeft) {
    const { checkout } = all;
    if (all.isFramed) return ended.framed(all);
    if (checkout.phase === 'missing') return ended.missing(all);
    if (!checkout.session) return checkout.offline ? ended.unloaded(all) : ended.loading(all);
    const beside = hasLeft ? ended.left : IN_PLACE[checkout.phase] ?? payment;
    return html`${summary(all, checkout.phase === 'open' && !hasLeft)}${beside(all)}`;
}

function testBanner({ form, words, checkout }) {
    const t = words.text;
    const scenarios = { open: SCENARIOS, processing: WHILE_PROCESSING }[checkout.phase];
    const name = (scenario) => t(`scenario.${checkout.phase === 'processing' && scenario === 'slow' ? 'slow_again' : scenario}`);
    return html`
        <aside class="test" aria-label=${t('test_banner')}>
            <p>${t('test_banner')}</p>
            ${scenarios ? html`<details>
                <summary>${t('test_scenarios')}</summary>
                <ul>${scenarios.map((scenario) => html`<li><button type="button" class="scenario" value=${scenario}
                    @click=${(event) => { event.target.closest('details').open = false; form.play(scenario); }}>${name(scenario)}</button></li>`)}</ul>
            </details>` : nothing}
            <div role="alert">${form.errors.scenario ? html`<p class="error">${t(...form.errors.scenario)}</p>` : nothing}</div>
        </aside>`;
}

const footer = ({ words, chooseLanguage }) => html`
    <footer><ul aria-label=${words.text('languages')}>${Object.entries(words.dictionaries).map(([language, dictionary]) => html`
        <li><button type="button" lang=${language} dir=${dictionary.direction} aria-current=${language === words.language ? 'true' : nothing}
            @click=${() => chooseLanguage(language)}>${dictionary.language_name}</button></li>`)}</ul></footer>`;
