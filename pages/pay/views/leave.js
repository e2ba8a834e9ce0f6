// The question that a buyer who cancels may answer.

import { html, nothing } from '../../vendor/lit-html.js';
import { alarm } from './parts.js';

const REASONS = ['too_expensive', 'changed_mind', 'payment_method', 'delivery', 'technical_problem', 'other'];

export function leaveDialog({ form, words }) {
    const t = words.text;
    const { session, leaving } = form;
    return html`
        <dialog id="leave-dialog" aria-labelledby="leave-title" aria-describedby="leave-text">
            <form novalidate @submit=${(event) => { event.preventDefault(); form.leave(); }}>
                <h2 id="leave-title">${t('leave_title')}</h2>
                <p id="leave-text">${t('leave_text', { merchant: session.organization_name })}</p>
                <fieldset>
                    <legend>${t('leave_reason')} <span class="hint">(${t('optional')})</span></legend>
                    ${REASONS.map((code) => html`
                        <label><input type="radio" name="reason" value=${code} .checked=${leaving.code === code}
                            @change=${() => { leaving.code = code; }}>${t(`leave.${code}`)}</label>`)}
                </fieldset>
                <label for="leave-words">${t('leave_words')} <span class="hint">(${t('optional')})</span></label>
                <textarea id="leave-words" rows="2" maxlength="500" @input=${(event) => { leaving.words = event.target.value; }}></textarea>
                ${alarm(form, words, 'leave')}
                <div class="choices">
                    <button type="button" class="second" @click=${(event) => event.target.closest('dialog').close()}>${t('leave_stay')}</button>
                    <button type="submit" id="leave-confirm" aria-busy=${form.busy === 'leave' ? 'true' : nothing}>${t('leave_confirm')}</button>
                </div>
            </form>
        </dialog>`;
}
