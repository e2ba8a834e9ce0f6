// What the page knows of its session, when it asks the server again, and what it asks it to change.

import { Refused, Unreachable } from '../shared/http.js';

const WHILE_PROCESSING = 2_000;
const WHILE_OPEN = 15_000;
const LONGEST_WAIT = 30_000;
const BEFORE_ANOTHER_TRY = 400;

/** One word for what the session's attributes say together; the page has a view for each. */
export function phaseOf(session) {
    if (session.status !== 'open') return session.status;
    if (session.payment_status === 'processing') return 'processing';
    return session.sold_out ? 'sold_out' : 'open';
}

export class Checkout {
    session;
    /** loading, missing, or the phase of the session. */
    phase = 'loading';
    /** The last request had no answer. What is shown stays. */
    offline = false;
    #started = false;
    #received = 0;
    #failures = 0;
    #changes = 0;
    #queue = Promise.resolve();
    #timer;

    constructor(rpc, id, secret, changed) {
        Object.assign(this, { rpc, id, secret, changed });
    }

    start() {
        this.#started = true;
        return this.#look('open_checkout_session');
    }

    /** Asks again now, unless nothing more can come. */
    async refresh() {
        if (this.phase === 'missing' || (this.session && this.session.status !== 'open') || !this.#started) return;
        await this.#look(this.session ? 'public_checkout_session' : 'open_checkout_session');
    }

    /** The milliseconds that are left, by the server's clock; undefined if it does not matter. */
    left() {
        const { expires_at: end, server_time: then } = this.session ?? {};
        if (!end || !then || this.session.status !== 'open') return undefined;
        return Date.parse(end) - Date.parse(then) - (performance.now() - this.#received);
    }

    /** Calls a function that changes the session. One follows the other. Returns its answer; throws Refused or Unreachable. */
    act(name, named = {}) {
        const acting = this.#queue.then(() => this.#act(name, named));
        this.#queue = acting.catch(() => {});
        return acting;
    }

    async #act(name, named) {
        this.#changes++;
        try {
            const answer = await this.#call(name, named).catch(async (error) => {
                // Another call was changing the same.
                if (!(error instanceof Refused && error.status === 409 && error.hint === 'Try again.')) throw error;
                await new Promise((resolve) => setTimeout(resolve, BEFORE_ANOTHER_TRY));
                return this.#call(name, named);
            });
            const session = answer?.session ?? answer;
            if (session?.status) this.#show(session);
            return answer;
        } catch (error) {
            if (error instanceof Unreachable) this.#trouble(error);
            // The session is not as it was believed to be.
            else await this.#look('public_checkout_session');
            throw error;
        } finally {
            this.#changes++;
        }
    }

    async #look(name) {
        const changes = this.#changes;
        clearTimeout(this.#timer);
        try {
            const session = await this.#call(name);
            // An answer to an earlier question than that of a change.
            if (changes === this.#changes || name === 'open_checkout_session') this.#show(session);
            else this.#schedule();
        } catch (error) {
            const unknown = error instanceof Refused && (error.status === 400 || error.code === 'PT404');
            if (unknown) this.#set({ phase: 'missing', session: undefined, offline: false });
            else this.#trouble(error);
        }
    }

    #call(name, named = {}) {
        return this.rpc.call(name, { checkout_session_id: this.id, client_secret: this.secret, ...named });
    }

    #show(session) {
        this.#received = performance.now();
        this.#failures = 0;
        this.#set({ session, phase: phaseOf(session), offline: false });
        this.#schedule();
    }

    #trouble(error) {
        const wait = error.wait ? error.wait * 1000 : Math.min(LONGEST_WAIT, 1000 * 2 ** this.#failures++);
        this.#set({ offline: true });
        this.#again(wait * (0.75 + Math.random() / 2));
    }

    #schedule() {
        if (this.phase === 'processing') this.#again(WHILE_PROCESSING);
        else if (this.session.status === 'open') this.#again(Math.min(WHILE_OPEN, Math.max(250, this.left() ?? WHILE_OPEN)));
    }

    #again(wait) {
        clearTimeout(this.#timer);
        // A page that nobody looks at asks when it is looked at again: see main.js.
        this.#timer = setTimeout(() => document.hidden || this.refresh(), wait);
    }

    #set(values) {
        const before = { phase: this.phase, session: this.session };
        Object.assign(this, values);
        this.changed(before);
    }
}
