// How long the session can still be paid, told by the server's clock. The browser's may be wrong.

const MINUTE = 60_000;
const ANNOUNCED = [10, 5, 1];
const DAY = 24 * 60 * MINUTE;

/** 9:59, or 1:09:59. */
export function clock(left) {
    const seconds = Math.max(0, Math.ceil(left / 1000));
    const two = (number) => String(number).padStart(2, '0');
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** What is to be announced when `before` milliseconds have become `left`: minutes, or undefined. */
export const crossed = (before, left) =>
    ANNOUNCED.findLast((minutes) => left > 0 && before > minutes * MINUTE && left <= minutes * MINUTE);

export const isShown = (left) => left !== undefined && left < DAY;
export const isShort = (left) => left <= MINUTE;

export class Countdown {
    #before;

    /** `announce(minutes)`, `tick()` every second, and `end()` once. */
    constructor(checkout, { announce, tick, end }) {
        Object.assign(this, { checkout, announce, tick, end });
    }

    start() {
        this.#step();
        return this;
    }

    #step = () => {
        const left = this.checkout.phase === 'open' ? this.checkout.left() : undefined;
        if (left !== undefined) {
            const minutes = this.#before === undefined ? undefined : crossed(this.#before, left);
            if (minutes) this.announce(minutes);
            if (left <= 0 && this.#before > 0) this.end();
            else this.tick();
        }
        this.#before = left;
        // To the next change of the seconds that are shown.
        setTimeout(this.#step, left > 0 ? (left % 1000) + 5 : 1000);
    };
}
