// The buyer's page: /pay/ID#CLIENT_SECRET, or pay.html?id=ID#CLIENT_SECRET.

import { render } from '../vendor/lit-html.js';
import en from '../i18n/en.js';
import fr from '../i18n/fr.js';
import { Unreachable } from '../shared/http.js';
import { Words } from '../shared/i18n.js';
import { returnLink } from '../shared/links.js';
import { rpcOfPage } from '../shared/rpc.js';
import { Checkout } from './checkout.js';
import { likelyCountry } from './countries.js';
import { Countdown } from './countdown.js';
import { Form } from './form.js';
import { frameOf } from './frame.js';
import { page } from './views/page.js';

const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;
const BEFORE_LEAVING = 3_000;
const BEFORE_ANOTHER_TRY = 2_000;
const ENDED = { complete: 'complete', expired: 'expired', failed: 'error', missing: 'error' };

const query = new URLSearchParams(location.search);
const id = ID.exec(query.get('id') ?? location.pathname.split('/').pop())?.[0];
const rpc = rpcOfPage();
const words = new Words({ en, fr }, [query.get('lang'), ...navigator.languages]);
const checkout = new Checkout(rpc, id, location.hash.slice(1), changed);
const form = new Form(checkout, words, { changed: draw, go });
form.address.country = likelyCountry(navigator.languages);
const all = { checkout, form, words, chooseLanguage };
const siblings = id && new BroadcastChannel(`checkout-session-${id}`);

function go(link) {
    // A provider's page does not work in a frame.
    if (form.frame) window.open(link, '_top', 'noreferrer');
    else location.assign(link);
}

function chooseLanguage(language) {
    words.choose(language);
    const there = new URL(location.href);
    there.searchParams.set('lang', language);
    history.replaceState(history.state, '', there);
    draw();
}

function draw() {
    document.documentElement.lang = words.language;
    document.documentElement.dir = words.direction;
    if (form.said) all.announced = words.text(...form.said);
    form.said = undefined;
    render(page(all), document.getElementById('page'));
    document.title = checkout.session
        ? words.text('pay_to', { merchant: checkout.session.organization_name }) : words.text('order');
    moveFocus();
}

/** To the first field that is wrong, or to the heading of what has taken the place of the form. */
function moveFocus() {
    if (form.focusFirstError) {
        form.focusFirstError = false;
        document.querySelector('[aria-invalid=true]')?.focus();
    } else if (form.focus) {
        document.getElementById(form.focus)?.focus();
        form.focus = undefined;
    }
}

/** The server has told something new, or the connection has changed. */
function changed(before) {
    const { phase } = checkout;
    if (phase !== before.phase) {
        closeDialog();
        if (before.phase !== 'loading') {
            form.focus = 'message-title';
            siblings?.postMessage(phase);
        }
        if (before.phase === 'loading' && checkout.session) form.frame?.tell('ready');
        if (form.frame && phase in ENDED) form.frame.tell(ENDED[phase]);
        if (phase === 'complete' && !form.frame) leaveWhenComplete();
    }
    draw();
}

function leaveWhenComplete() {
    const link = returnLink(checkout.session.success_url);
    // In the place of this page, so that the way back does not lead here.
    if (link) setTimeout(() => location.replace(link), BEFORE_LEAVING);
}

form.restarted = ({ checkout_session_id: next, client_secret: secret }) => {
    const there = new URL(location.href);
    if (there.searchParams.has('id')) there.searchParams.set('id', next);
    else there.pathname = there.pathname.replace(ID, next);
    there.hash = secret;
    location.replace(there);
};

const closeDialog = () => document.getElementById('leave-dialog')?.close();

form.leftDialog = () => {
    closeDialog();
    form.focus = 'message-title';
};

form.askToLeave = () => {
    const dialog = document.getElementById('leave-dialog');
    dialog.showModal();
    dialog.querySelector('input').focus();
};

async function untilReachable(ask) {
    for (;;) {
        try {
            return await ask();
        } catch (error) {
            if (!(error instanceof Unreachable)) return null;
            checkout.offline = true;
            draw();
            await new Promise((resolve) => setTimeout(resolve, BEFORE_ANOTHER_TRY));
        }
    }
}

async function start() {
    draw();
    if (!id || !checkout.secret) {
        checkout.phase = 'missing';
        draw();
        return;
    }
    const frame = await untilReachable(() => frameOf(rpc, id, location.search));
    all.isFramed = frame === null;
    if (all.isFramed) {
        draw();
        return;
    }
    form.frame = frame;
    await checkout.start();
    frame?.watch();
    new Countdown(checkout, {
        announce: (count) => { form.say('announce_minutes', { count }); draw(); },
        tick: draw,
        end: () => checkout.refresh(),
    }).start();
}

siblings?.addEventListener('message', () => checkout.refresh());
addEventListener('online', () => checkout.refresh());
addEventListener('offline', draw);
addEventListener('hashchange', () => location.reload());
document.addEventListener('visibilitychange', () => document.hidden || checkout.refresh());
// The buyer comes back from the provider's page, and finds this one as it was.
addEventListener('pageshow', ({ persisted }) => {
    if (!persisted) return;
    form.busy = undefined;
    checkout.refresh();
});
start();
