// Refused calls of the last day: which function refused what, how often, and why.

import { html } from '../../vendor/lit-html.js';
import { number } from '../format.js';
import { t } from '../i18n.js';
import * as parts from '../parts.js';
import * as queries from '../queries.js';

const DAY = 86_400_000;

export const load = ({ api, signal }) => ({ failures: api.send(queries.requestFailures(Date.now() - DAY), signal) });

/** One row for each function and SQLSTATE, the most frequent first. The rows are the minutes, newest first. */
function summed(minutes) {
    const kinds = new Map();
    for (const minute of minutes) {
        const key = `${minute.function_name} ${minute.sqlstate}`;
        const known = kinds.get(key);
        if (known) known.failure_count += minute.failure_count;
        else kinds.set(key, { ...minute });
    }
    return [...kinds.values()].sort((a, b) => b.failure_count - a.failure_count);
}

function list(rows) {
    if (rows.some((row) => row.failure_count === null)) return parts.empty(t('requests.uncounted'), t('requests.uncounted.advice'));
    if (rows.length === 0) return parts.empty(t('requests.none'), t('requests.none.advice'));
    return parts.table(
        t('requests.title'),
        [
            { label: t('requests.function'), text: true, cell: (f) => parts.code(f.function_name) },
            { label: t('requests.count'), number: true, cell: (f) => number(f.failure_count) },
            { label: t('requests.sqlstate'), cell: (f) => parts.code(f.sqlstate) },
            { label: t('requests.message'), text: true, wide: true, cell: (f) => parts.plain(f.last_message) },
            { label: t('requests.last'), wide: true, cell: (f) => parts.time(f.last_failed_at) },
        ],
        summed(rows),
    );
}

export function view({ retry }, results) {
    return html`
        <header class="top"><h1 tabindex="-1">${t('requests.title')}</h1>
            <button type="button" class="secondary" @click=${retry}>${t('health.refresh')}</button></header>
        <p class="lead">${t('requests.lead')}</p>
        ${parts.show(results.failures, list, retry)}`;
}
