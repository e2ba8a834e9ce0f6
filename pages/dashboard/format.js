// Numbers, money and times as people read them.

import { language } from './i18n.js';

const DAY = 86_400_000;

export const number = (value) => new Intl.NumberFormat(language).format(value);
export const percent = (share, digits = 1) =>
    new Intl.NumberFormat(language, { style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits }).format(
        share,
    );

/** Money with as many decimals as its currency has, and more if the amount has. Rejected payments may have any code. */
export function money(amount, currency) {
    if (amount === null || amount === undefined) return '—';
    const decimals = (String(amount).split('.')[1] ?? '').length;
    try {
        const style = { style: 'currency', currency, currencyDisplay: 'narrowSymbol' };
        const usual = new Intl.NumberFormat(language, style).resolvedOptions().maximumFractionDigits;
        const text = new Intl.NumberFormat(language, { ...style, maximumFractionDigits: Math.max(usual, decimals) }).format(
            amount,
        );
        return `${text} ${currency}`;
    } catch {
        return `${new Intl.NumberFormat(language, { maximumFractionDigits: 20 }).format(amount)} ${currency}`;
    }
}

const as = (text, style) => new Intl.DateTimeFormat(language, style).format(new Date(text));
export const localDay = (text) => as(text, { dateStyle: 'medium' });
export const localClock = (text) => as(text, { timeStyle: 'short' });
export const localTime = (text) => as(text, { dateStyle: 'medium', timeStyle: 'short' });
export const utcTime = (text) => `${new Date(text).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** The day of a bucket of session_funnel, as the server wrote it. */
export const bucketDay = (text) =>
    new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric', timeZone: 'UTC' }).format(
        new Date(`${text.slice(0, 10)}T00:00:00Z`),
    );

/** The seconds of an interval of PostgreSQL: 1 day 02:00:00.5 */
export function seconds(interval) {
    const days = Number(/(-?\d+) days?/.exec(interval)?.[1] ?? 0);
    const [, sign, hours, minutes, rest] = /(-?)(\d+):(\d+):(\d+(?:\.\d+)?)/.exec(interval) ?? [0, '', 0, 0, 0];
    return days * 86_400 + (sign ? -1 : 1) * (hours * 3600 + minutes * 60 + Number(rest));
}

/** A duration in its two greatest units. */
export function duration(interval) {
    if (interval === null || interval === undefined) return '—';
    const total = seconds(interval);
    const unit = (value, name, digits = 0) =>
        new Intl.NumberFormat(language, {
            style: 'unit',
            unit: name,
            unitDisplay: 'short',
            maximumFractionDigits: digits,
        }).format(value);
    if (total < 1) return unit(total * 1000, 'millisecond');
    if (total < 60) return unit(total, 'second', 1);
    const steps = [
        [86_400, 'day'],
        [3600, 'hour'],
        [60, 'minute'],
        [1, 'second'],
    ];
    const first = steps.findIndex(([size]) => total >= size);
    const parts = steps.slice(first, first + 2).map(([size, name], index) => {
        const value = Math.floor((index === 0 ? total : total % steps[first][0]) / size);
        return value > 0 ? unit(value, name) : '';
    });
    return parts.filter(Boolean).join(' ');
}

// Days in the address are written as 2026-01-15.
/** The first moment of a day in the browser's zone. */
export const dayStart = (day) => day && new Date(`${day}T00:00:00`).getTime();
/** The first moment after a day in the browser's zone. */
export function dayEnd(day) {
    if (!day) return day;
    const end = new Date(`${day}T00:00:00`);
    end.setDate(end.getDate() + 1);
    return end.getTime();
}

/** Days in UTC, as the funnel counts them: from the first moment to that after the last. */
export function range({ from, to }, now = Date.now(), days = 7) {
    const today = Math.floor(now / DAY) * DAY;
    const end = to ? Date.parse(`${to}T00:00:00Z`) + DAY : today + DAY;
    return { from: from ? Date.parse(`${from}T00:00:00Z`) : end - days * DAY, to: end };
}
export const utcDay = (time) => new Date(time).toISOString().slice(0, 10);
export { DAY };
