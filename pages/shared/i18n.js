// The words of a page in its reader's language. The dictionaries have the same keys.

export class Words {
    /** `dictionaries`: by language. `wanted`: language tags, the best one first. */
    constructor(dictionaries, wanted) {
        this.dictionaries = dictionaries;
        this.wanted = wanted.filter(Boolean);
        this.choose(this.wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in dictionaries) ?? 'en');
    }

    choose(language) {
        this.language = language;
        // How the reader writes numbers: fr-CH, not just fr.
        this.locale = Intl.getCanonicalLocales(this.wanted.filter(isTag))
            .find((tag) => tag.slice(0, 2) === language) ?? language;
        this.plurals = new Intl.PluralRules(language);
        this.numbers = new Intl.NumberFormat(this.locale);
    }

    get direction() {
        return this.dictionaries[this.language].direction;
    }

    has(key) {
        return Object.hasOwn(this.dictionaries[this.language], key);
    }

    /** The text of a key with its {values}. With a count, that of key.one or key.other. */
    text = (key, values = {}) => {
        const plural = 'count' in values ? `${key}.${this.plurals.select(values.count)}` : key;
        const found = [plural, `${key}.other`, key].find((name) => this.has(name));
        if (found === undefined) throw new Error(`no text for ${key}`);
        const value = (name) => (typeof values[name] === 'number' ? this.numbers.format(values[name]) : String(values[name]));
        return this.dictionaries[this.language][found].replace(/\{(\w+)\}/g, (_, name) => value(name));
    };

    /** The word for a value that providers choose, or a readable form of the value. */
    word(group, value) {
        const key = `${group}.${value}`;
        return this.has(key) ? this.text(key) : value.charAt(0).toUpperCase() + value.slice(1).replace(/_/g, ' ');
    }
}

function isTag(tag) {
    try {
        return Intl.getCanonicalLocales(tag).length === 1;
    } catch {
        return false;
    }
}
