// CSV as RFC 4180 has it, for spreadsheets.

// Buyers choose some of the texts. A spreadsheet would compute one that begins like a formula.
const FORMULA = /^[=+\-@\t\r]/;

function field(value) {
    if (value === null || value === undefined) return '';
    if (typeof value === 'number') return String(value);
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
    const safe = FORMULA.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csv = (columns, rows) =>
    [columns, ...rows.map((row) => columns.map((name) => row[name]))]
        .map((line) => line.map(field).join(','))
        .join('\r\n')
        .concat('\r\n');

/** Saves a text as a file of the person. */
export function save(name, text) {
    // The mark tells spreadsheets that it is UTF-8.
    const address = URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv;charset=utf-8' }));
    const anchor = Object.assign(document.createElement('a'), { href: address, download: name });
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
