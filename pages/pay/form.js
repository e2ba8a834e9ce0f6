// What the buyer fills in, and what the page does with it.

import { Refused, Unreachable } from '../shared/http.js';
import { returnLink, webLink } from '../shared/links.js';
import { exponent, money, readAmount } from '../shared/money.js';

const PAUSE_OF_TYPING = 350;
const REQUIRED = ['name', 'country', 'line1', 'city'];
const LONGEST = 255;

export class Form {
    /** By the id of a field or a part of the page: [key, values] of what is wrong there. */
    errors = {};
    /** What is told once, aloud: [key, values]. */
    said;
    /** What the buyer has asked for and waits for: pay, coupon, leave, restart, scenario. */
    busy;
    method;
    address = {};
    changesAddress = false;
    /** The id of the element that gets the focus next, because the one that had it is gone. */
    focus;
    coupon = { open: false, code: '' };
    leaving = { code: undefined, words: '' };
    hasLeft = false;
    /** What the buyer wants, by line, until the server has it. */
    quantities = new Map();
    amounts = new Map();
    #timers = new Map();
    /** What is being sent of the lines. */
    #sending = new Set();

    constructor(checkout, words, { changed, go, frame }) {
        Object.assign(this, { checkout, words, changed, go, frame });
    }

    get session() {
        return this.checkout.session;
    }

    money = (amount) => money(amount, this.session.currency_code, this.words.locale);

    say(key, values) {
        this.said = [key, values];
    }

    /** The button reads so: there is nothing to pay. */
    get isFree() {
        return Number(this.session.amount) === 0 || this.session.payment_status === 'no_payment_required';
    }

    get needsAddress() {
        return this.session.require_billing_address && (this.changesAddress || !this.session.has_billing_address);
    }

    get chosenMethod() {
        const methods = this.session.payment_methods ?? [];
        return methods.includes(this.method) ? this.method : methods[0];
    }

    get methodLink() {
        return webLink(this.session.payment_method_urls?.[this.chosenMethod]);
    }

    get isTest() {
        return this.session.environment === 'test';
    }

    /** Calls a function that changes the session. Returns its answer; undefined, and says so at `place`, if it fails. */
    async #ask(place, name, named, wording = () => undefined) {
        const code = this.session.coupon_code;
        try {
            const answer = await this.checkout.act(name, named);
            if (code && !this.session.coupon_code && name !== 'remove_coupon') this.say('coupon_lost', { code });
            return answer;
        } catch (error) {
            if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
            const usual = error instanceof Unreachable ? 'unreachable' : error.status === 409 ? 'conflict' : 'refused';
            this.errors[place] = wording(error) ?? [usual];
            return undefined;
        } finally {
            this.changed();
        }
    }

    async #while(busy, work) {
        if (this.busy) return;
        this.busy = busy;
        this.changed();
        try {
            await work();
        } finally {
            this.busy = undefined;
            this.changed();
        }
    }

    // -- lines --------------------------------------------------------------------------------------------------------

    setQuantity(line, typed) {
        const id = `quantity-${line.line}`;
        const quantity = /^\d{1,9}$/.test(String(typed).trim()) ? Number(typed) : NaN;
        const { minimum_quantity: minimum, maximum_quantity: maximum } = line;
        delete this.errors[id];
        // What cannot be changes nothing; what was wanted before is still sent.
        if (quantity < minimum) this.errors[id] = ['at_least', { minimum }];
        else if (Number.isNaN(quantity)) this.errors[id] = ['whole_number'];
        else if (maximum !== null && quantity > maximum) this.errors[id] = ['at_most', { maximum }];
        else this.#wantQuantity(line.line, id, quantity);
        this.changed();
    }

    #wantQuantity(line, id, quantity) {
        this.quantities.set(line, quantity);
        clearTimeout(this.#timers.get(id));
        this.#timers.set(id, setTimeout(() => this.#track(this.#sendQuantity(line, id)), PAUSE_OF_TYPING));
    }

    async #sendQuantity(line, id) {
        clearTimeout(this.#timers.get(id));
        this.#timers.delete(id);
        const quantity = this.quantities.get(line);
        await this.#ask(id, 'set_quantity', { quantity, line }, (error) =>
            (/sold out/.test(error.message) ? ['fewer_left'] : undefined));
        if (this.quantities.get(line) === quantity) this.quantities.delete(line);
        this.changed();
    }

    setAmount(line, typed) {
        return this.#track(this.#setAmount(line, typed));
    }

    async #setAmount(line, typed) {
        const id = `amount-${line.line}`;
        const { minimum_amount: minimum, maximum_amount: maximum } = line;
        const amount = readAmount(typed, this.words.locale);
        const decimals = (amount?.split('.')[1] ?? '').length;
        delete this.errors[id];
        if (amount === undefined || decimals > exponent(this.session.currency_code)) {
            const example = line.suggested_amount ?? minimum;
            this.errors[id] = ['enter_amount', { currency: this.session.currency_code, example: this.money(example) }];
        } else if (Number(amount) < Number(minimum)) {
            this.errors[id] = ['at_least', { minimum: this.money(minimum) }];
        } else if (maximum !== null && Number(amount) > Number(maximum)) {
            this.errors[id] = ['at_most', { maximum: this.money(maximum) }];
        }
        this.amounts.set(line.line, typed);
        this.changed();
        if (this.errors[id] || Number(amount) === Number(line.unit_amount)) return;
        await this.#ask(id, 'set_unit_amount', { unit_amount: amount, line: line.line });
        if (!this.errors[id]) this.amounts.delete(line.line);
        this.changed();
    }

    #track(sending) {
        this.#sending.add(sending);
        return sending.finally(() => this.#sending.delete(sending));
    }

    /** Sends what was changed last, and waits for it. What cannot be is found once more. */
    async #settle() {
        for (const id of this.#timers.keys()) this.#track(this.#sendQuantity(Number(id.split('-')[1]), id));
        for (const line of this.session.lines ?? []) {
            if (this.amounts.has(line.line) && this.#sending.size === 0) this.setAmount(line, this.amounts.get(line.line));
        }
        await Promise.all(this.#sending);
    }

    // -- coupon -------------------------------------------------------------------------------------------------------

    openCoupon(open) {
        this.coupon = { open, code: '' };
        this.focus = open ? 'coupon' : 'coupon-add';
        delete this.errors.coupon;
        this.changed();
    }

    applyCoupon() {
        return this.#while('coupon', async () => {
            const code = this.coupon.code.trim();
            delete this.errors.coupon;
            if (!code) {
                this.errors.coupon = ['coupon_empty'];
                return;
            }
            // A code that cannot be one is as one that does not apply.
            const answer = await this.#ask('coupon', 'apply_coupon', { code }, (error) =>
                (error.code?.startsWith('22') ? ['coupon_refused', { code }] : undefined));
            if (answer?.applied) {
                this.coupon = { open: false, code: '' };
                this.focus = 'coupon-remove';
                this.say('coupon_applied', { code: this.session.coupon_code, total: this.money(this.session.amount) });
            } else if (answer) {
                this.errors.coupon = ['coupon_refused', { code }];
            }
        });
    }

    removeCoupon() {
        return this.#while('coupon', async () => {
            const done = await this.#ask('coupon', 'remove_coupon');
            if (!done) return;
            this.focus = 'coupon-add';
            this.say('coupon_removed', { total: this.money(this.session.amount) });
        });
    }

    // -- address ------------------------------------------------------------------------------------------------------

    changeAddress() {
        this.changesAddress = true;
        this.focus = 'address-name';
        this.changed();
    }

    setAddress(name, value) {
        this.address[name] = value;
        delete this.errors[`address-${name}`];
        this.changed();
    }

    #checkAddress() {
        for (const name of ['name', 'country', 'line1', 'line2', 'city', 'postal_code', 'state']) {
            const value = (this.address[name] ?? '').trim();
            delete this.errors[`address-${name}`];
            if (!value && REQUIRED.includes(name)) this.errors[`address-${name}`] = [`missing.${name}`];
            else if (value.length > LONGEST) this.errors[`address-${name}`] = ['too_long'];
        }
    }

    async #saveAddress() {
        const given = Object.entries(this.address).filter(([, value]) => value.trim());
        const saved = await this.#ask('address-name', 'set_billing_address', { address: Object.fromEntries(given) },
            (error) => (error.code?.startsWith('22') ? ['address_refused'] : undefined));
        if (saved) this.changesAddress = false;
    }

    // -- paying -------------------------------------------------------------------------------------------------------

    pay() {
        return this.#while('pay', async () => {
            // What the button says when it is pressed is what the buyer agrees to.
            const agreed = this.session.amount;
            this.errors = {};
            if (this.needsAddress) this.#checkAddress();
            await this.#settle();
            if (!this.#isFine() || this.checkout.phase !== 'open') return;
            if (this.needsAddress) await this.#saveAddress();
            if (!this.#isFine() || this.checkout.phase !== 'open') return;
            if (Number(this.session.amount) !== Number(agreed)) {
                this.errors.pay = ['amount_changed', { total: this.money(this.session.amount) }];
                return;
            }
            await this.#payNow();
        });
    }

    #isFine() {
        const fine = Object.keys(this.errors).length === 0;
        this.focusFirstError = !fine;
        return fine;
    }

    async #payNow() {
        if (this.isFree) {
            await this.#ask('pay', 'complete_free_checkout_session');
        } else if (this.methodLink) {
            this.go(this.methodLink);
            // The button stays as it is until the other page is there.
            await new Promise((resolve) => setTimeout(resolve, 5000));
        } else if (this.isTest) {
            await this.#ask('pay', 'simulate_public_payment', { scenario: 'complete' });
        } else {
            const method = this.chosenMethod && this.words.word('method', this.chosenMethod);
            const merchant = this.session.organization_name;
            this.errors.pay = method ? ['method_without_url', { method, merchant }] : ['no_methods', { merchant }];
        }
    }

    choose(method) {
        this.method = method;
        delete this.errors.pay;
        this.changed();
    }

    play(scenario) {
        return this.#while('scenario', async () => {
            delete this.errors.scenario;
            await this.#ask('scenario', 'simulate_public_payment', { scenario });
        });
    }

    // -- leaving ------------------------------------------------------------------------------------------------------

    leave() {
        return this.#while('leave', async () => {
            delete this.errors.leave;
            const { code, words } = this.leaving;
            const named = { reason_code: code ?? null, reason: words.trim() || null };
            await this.#ask('leave', 'cancel_checkout_session', named);
            // A buyer who wants to go is not kept because the reason was lost; but a payment may be in progress.
            const refused = this.errors.leave && this.errors.leave[0] !== 'unreachable';
            if (refused) return;
            delete this.errors.leave;
            this.hasLeft = true;
            this.leftDialog();
            const back = returnLink(this.session.cancel_url);
            if (this.frame) this.frame.tell('cancel');
            else if (back) this.go(back);
        });
    }

    stay() {
        this.hasLeft = false;
        this.checkout.refresh();
        this.changed();
    }

    restart() {
        return this.#while('restart', async () => {
            delete this.errors.restart;
            const merchant = this.session.organization_name;
            const answer = await this.#ask('restart', 'restart_checkout_session', {}, (error) =>
                (error instanceof Refused ? ['restart_refused', { merchant }] : undefined));
            if (answer) this.restarted(answer);
        });
    }
}
