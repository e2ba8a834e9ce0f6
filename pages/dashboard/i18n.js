// The words of the dashboard in the chosen language.

import { Words } from '../shared/i18n.js';
import en from './i18n/en.js';
import fr from './i18n/fr.js';

const STORE = 'checkout-dashboard-language';
export const LANGUAGES = { en: 'English', fr: 'Français' };

const words = new Words({ en, fr }, [localStorage.getItem(STORE), ...navigator.languages]);
export let language = words.language;

export function setLanguage(next) {
    words.choose(next);
    language = next;
    localStorage.setItem(STORE, next);
}

/** A text with its {values}. With `count`, the key's plural: key.one or key.other. */
export const t = words.text;

/** The word for a value that the database may have, or the value itself if it is new. */
export const word = (group, value) => (words.has(`${group}.${value}`) ? t(`${group}.${value}`) : value);
