// What is around every view: the navigation, who is signed in, language and theme.

import { html, nothing } from '../vendor/lit-html.js';
import { LANGUAGES, language, setLanguage, t } from './i18n.js';
import { link } from './router.js';
import { THEMES, setTheme, theme } from './theme.js';

const SECTIONS = ['overview', 'sessions', 'refunds', 'subscriptions', 'products', 'coupons', 'webhooks', 'requests'];

const skip = (event) => {
    event.preventDefault();
    document.querySelector('main h1')?.focus();
};

export const preferences = (redraw) => html`
    <div class="preferences">
        <label><span class="hidden">${t('language')}</span>
            <select @change=${(event) => {
                setLanguage(event.target.value);
                redraw();
            }}>
                ${Object.entries(LANGUAGES).map(([tag, name]) => html`
                    <option value=${tag} lang=${tag} ?selected=${tag === language}>${name}</option>`)}
            </select></label>
        <label><span class="hidden">${t('theme')}</span>
            <select @change=${(event) => {
                setTheme(event.target.value);
                redraw();
            }}>
                ${THEMES.map((name) => html`<option value=${name} ?selected=${name === theme()}>${t(`theme.${name}`)}</option>`)}
            </select></label>
    </div>`;

export function shell({ credential, administrator, name, menu, signOut, redraw, toggleMenu }, body) {
    const sections = administrator ? [...SECTIONS, 'health'] : SECTIONS;
    return html`
        <a class="skip" href="#main" @click=${skip}>${t('skip')}</a>
        <div class="layout">
            <header class="side" data-open=${menu}>
                <div class="who">
                    <strong class="organization">${credential.organization_name}</strong>
                    <span class="environment ${credential.environment}">${t(`environment.${credential.environment}`)}</span>
                    <button type="button" class="menu secondary" aria-expanded=${menu} aria-controls="navigation" @click=${toggleMenu}>
                        ${t('menu')}</button>
                </div>
                <div class="folding" id="navigation">
                    <nav aria-label=${t('navigation')}><ul>
                        ${sections.map(
                            (section) => html`<li><a href=${link([section])} class="to-${section}"
                            aria-current=${section === name ? 'page' : nothing}>${t(`${section}.title`)}</a></li>`,
                        )}
                    </ul></nav>
                    <div class="foot">
                        <p class="quiet"><span>${t('signed_in')}</span>
                            <strong>${credential.name ?? t(`kind.${credential.kind}`)}</strong>
                            <span>${t(`kind.${credential.kind}.may`)}</span></p>
                        ${preferences(redraw)}
                        <button type="button" class="secondary sign-out" @click=${signOut}>${t('sign_out')}</button>
                    </div>
                </div>
            </header>
            <main id="main">${body}</main>
        </div>`;
}
