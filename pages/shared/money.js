// Money as buyers read it. Amounts are texts of major units: '12.34'.

/** How many decimals an amount needs. */
const decimals = (amount) => /\.(\d*?)0*$/.exec(String(amount))?.[1].length ?? 0;

function format(currency, locale, more) {
    return new Intl.NumberFormat(locale, { style: 'currency', currency, ...more });
}

/** How many decimals a currency has. */
export const exponent = (currency) => format(currency, 'en').resolvedOptions().maximumFractionDigits;

/** A sign if one is clear ($, €, US$ is not), or else the code. No decimal of the amount is left out. */
export function money(amount, currency, locale) {
    const usual = exponent(currency);
    const digits = Math.max(usual, decimals(amount));
    const sign = format(currency, locale).formatToParts(0).find(({ type }) => type === 'currency').value;
    const currencyDisplay = /\p{L}{2}/u.test(sign) ? 'code' : 'symbol';
    return format(currency, locale, { currencyDisplay, minimumFractionDigits: usual, maximumFractionDigits: digits })
        .format(amount);
}

/** What a buyer typed, as a text with a decimal point; undefined if it is no amount. */
export function readAmount(typed, locale) {
    const parts = new Intl.NumberFormat(locale).formatToParts(11111.1);
    const decimal = parts.find(({ type }) => type === 'decimal').value;
    let text = typed.normalize('NFKC').replace(/[\s\u00a0\u202f'’]/g, '');
    // 1.000,50 and 1,000.50: the last mark is the decimal one. A single mark is one, too, unless three digits follow it
    // and the locale has it between thousands.
    const marks = text.match(/[.,]/g) ?? [];
    const last = Math.max(text.lastIndexOf('.'), text.lastIndexOf(','));
    const grouped = marks.length > 0 && (new Set(marks).size === 1)
        && (marks.length > 1 || (text[last] !== decimal && text.length - last === 4));
    text = grouped ? text.replace(/[.,]/g, '') : text.slice(0, last + 1).replace(/[.,]/g, '')
        + (last < 0 ? '' : '.') + text.slice(last + 1);
    return /^(\d+\.?\d*|\.\d+)$/.test(text) ? text.replace(/^\./, '0.').replace(/\.$/, '') : undefined;
}
