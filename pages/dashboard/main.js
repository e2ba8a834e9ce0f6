// The page: who is signed in, which view is shown, and what it has loaded.

import { html, render } from '../vendor/lit-html.js';
import { Api, stored } from './api.js';
import './charts.js';
import { language, t } from './i18n.js';
import * as queries from './queries.js';
import { link, parse } from './router.js';
import { shell } from './shell.js';
import { applyTheme } from './theme.js';
import * as coupons from './views/coupons.js';
import * as health from './views/health.js';
import * as overview from './views/overview.js';
import * as products from './views/products.js';
import * as refunds from './views/refunds.js';
import * as requests from './views/requests.js';
import * as sessions from './views/sessions.js';
import * as subscriptions from './views/subscriptions.js';
import * as session from './views/session.js';
import { signIn } from './views/sign-in.js';
import * as webhooks from './views/webhooks.js';

const app = document.querySelector('#app');
const state = { api: null, credential: null, administrator: false, notice: null, view: null, results: {}, menu: false };
let loading = new AbortController();
let shown = '';

/** The view of an address: its module, and the name of the part of the page that it belongs to. */
function viewOf({ parts: [name = 'overview', id] }) {
    if (name === 'sessions' && id) return { name, module: session };
    const modules = { overview, sessions, refunds, subscriptions, products, coupons, webhooks, requests, ...(state.administrator && { health }) };
    return name in modules ? { name, module: modules[name] } : { name: '', module: null };
}

function context() {
    return {
        api: state.api,
        credential: state.credential,
        administrator: state.administrator,
        route: state.route,
        signal: loading.signal,
        reload,
        redraw: draw,
        retry: () => reload(),
        /** Runs a query of the view that a person has asked for; its state is results[key]. */
        run: (key, promise) => follow(key, promise, loading),
        mayAct: state.credential?.kind === 'secret',
    };
}

function follow(key, promise, during) {
    state.results[key] = {};
    return promise
        .then(
            (value) => ({ value }),
            (error) => ({ error }),
        )
        .then((result) => {
            if (during !== loading || result.error?.name === 'AbortError') return;
            if (result.error?.status === 401) {
                signOut('sign_in.refused');
                return;
            }
            if (result.error && result.error.status === undefined) console.error(result.error);
            state.results[key] =
                result.error && result.error.status === undefined ? { error: { status: 500, message: '' } } : result;
            draw();
        });
}

/** Loads what the view of the address shows. */
function reload() {
    loading.abort();
    loading = new AbortController();
    state.results = {};
    const { module } = state.view;
    const during = loading;
    for (const [key, promise] of Object.entries(module?.load(context()) ?? {})) follow(key, promise, during);
    draw();
}

function draw() {
    document.documentElement.lang = language;
    if (!state.api) {
        document.title = `${t('sign_in.title')} · ${t('dashboard')}`;
        render(signIn({ notice: state.notice, signedIn, redraw: draw }), app);
        return;
    }
    if (!state.credential) {
        render(html`<main class="starting" aria-busy="true"><p role="status">${t('loading')}</p></main>`, app);
        return;
    }
    const { name, module } = state.view;
    const body = module
        ? module.view(context(), state.results)
        : html`<h1 tabindex="-1">${t('unknown.title')}</h1><p><a href=${link(['overview'])}>${t('unknown.action')}</a></p>`;
    render(shell({ ...state, name, signOut: () => signOut(), redraw: draw, toggleMenu }, body), app);
    document.title = `${app.querySelector('h1')?.textContent.trim() ?? t('dashboard')} · ${state.credential.organization_name}`;
}

function toggleMenu() {
    state.menu = !state.menu;
    draw();
}

function navigate() {
    if (!state.api || !state.credential) return;
    state.route = parse(location.hash);
    state.view = viewOf(state.route);
    state.menu = false;
    const place = state.route.parts.join('/');
    const moved = shown !== '' && place !== shown;
    shown = place || 'overview';
    reload();
    // Another view: begin at its title, as with a page that was loaded. Another filter: stay where one is.
    if (moved) {
        scrollTo(0, 0);
        app.querySelector('h1')?.focus({ preventScroll: true });
    }
}

/** Asks who the credential is. Throws what the server answers; the sign-in shows it. */
async function signedIn(text) {
    const api = new Api(text);
    const credential = await api.one(queries.credential());
    stored.set(text);
    Object.assign(state, { api, credential, notice: null });
    // A key is of an organization; only a token may be an administrator's.
    state.administrator =
        credential.kind === 'secret' &&
        (await api.one(queries.workerStatus()).then(
            () => true,
            () => false,
        ));
    navigate();
}

function signOut(notice = null) {
    loading.abort();
    stored.forget();
    shown = '';
    Object.assign(state, { api: null, credential: null, administrator: false, results: {}, notice });
    draw();
}

async function start() {
    applyTheme();
    const text = stored.get();
    if (text) {
        state.api = new Api(text);
        draw();
        await signedIn(text).catch((error) => signOut(error.status === 0 ? 'sign_in.unreachable' : 'sign_in.refused'));
    } else {
        draw();
    }
}

addEventListener('hashchange', navigate);
start();
