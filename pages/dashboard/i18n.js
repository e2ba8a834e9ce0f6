// The words of the page in the chosen language. The dictionaries have the same keys.

import en from './i18n/en.js';
import fr from './i18n/fr.js';

const STORE = 'checkout-dashboard-language';
const dictionaries = { en, fr };
export const LANGUAGES = { en: 'English', fr: 'Français' };

const chosen = localStorage.getItem(STORE);
export let language =
    chosen in dictionaries
        ? chosen
        : (navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in dictionaries) ?? 'en');

export function setLanguage(next) {
    language = next;
    localStorage.setItem(STORE, next);
}

/** A text with its {values}. With `count`, the key's plural: key.one or key.other. */
export function t(key, values = {}) {
    const dictionary = dictionaries[language];
    const plural = 'count' in values ? `${key}.${new Intl.PluralRules(language).select(values.count)}` : key;
    const text = dictionary[plural] ?? dictionary[`${key}.other`] ?? dictionary[key];
    if (text === undefined) throw new Error(`no text for ${key}`);
    return text.replace(/\{(\w+)\}/g, (_, name) =>
        typeof values[name] === 'number' ? new Intl.NumberFormat(language).format(values[name]) : String(values[name]),
    );
}

/** The word for a value that the database may have, or the value itself if it is new. */
export const word = (group, value) => dictionaries[language][`${group}.${value}`] ?? value;
