// Who are you? A key that only reads, or a token. A secret key is refused before it goes anywhere.

import { html, nothing } from '../../vendor/lit-html.js';
import { kindOf } from '../api.js';
import { t } from '../i18n.js';
import { preferences } from '../shell.js';

const state = { problem: null, details: null, busy: false };

async function submit(event, { signedIn, redraw }) {
    event.preventDefault();
    const input = event.target.elements.credential;
    const text = input.value.trim();
    const kind = kindOf(text);
    Object.assign(state, { problem: null, details: null });
    if (kind === 'restricted' || kind === 'token') {
        state.busy = true;
        redraw();
        try {
            await signedIn(text);
            Object.assign(state, { busy: false });
            return;
        } catch (error) {
            const refused = [401, 403].includes(error.status);
            Object.assign(state, {
                problem: error.status === 0 ? 'unreachable' : refused ? 'refused' : 'failed',
                details: error.message,
                busy: false,
            });
        }
    } else {
        // What the page refuses, it forgets at once.
        if (kind !== 'unknown') input.value = '';
        state.problem = kind;
    }
    redraw();
    document.querySelector('#credential')?.focus();
}

export function signIn({ notice, signedIn, redraw }) {
    const problem = state.problem ? `sign_in.${state.problem}` : notice;
    return html`
        <main class="sign-in">
            <h1>${t('sign_in.title')}</h1>
            <p class="quiet">${t('sign_in.lead')}</p>
            ${
                problem
                    ? html`<div class="notice bad" role="alert" id="problem"><strong>${t(problem)}</strong>
                <p>${t(`${problem}.advice`)}</p>${state.details ? html`<p class="quiet">${state.details}</p>` : nothing}</div>`
                    : nothing
            }
            <form @submit=${(event) => submit(event, { signedIn, redraw })}>
                <label for="credential">${t('sign_in.credential')}</label>
                <input id="credential" name="credential" type="password" autocomplete="off" autocapitalize="off" spellcheck="false" required
                    placeholder="rk_live_…" aria-describedby=${problem ? 'problem credential-help' : 'credential-help'}
                    aria-invalid=${state.problem ? 'true' : nothing}>
                <small id="credential-help">${t('sign_in.help')}</small>
                <button type="submit" ?disabled=${state.busy} aria-busy=${state.busy}>${t('sign_in.action')}</button>
            </form>
            ${preferences(redraw)}
        </main>`;
}
