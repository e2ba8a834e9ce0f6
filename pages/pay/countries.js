// The countries of ISO 3166-1, as a billing address has them.

const CODES = `AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA
CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF
GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR
KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG
NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO
SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM
ZW`.split(/\s/);

const sorted = new Map();

/** [code, name] in the order of a language's names. */
export function countries(locale) {
    if (!sorted.has(locale)) {
        const names = new Intl.DisplayNames(locale, { type: 'region' });
        const order = new Intl.Collator(locale).compare;
        sorted.set(locale, CODES.map((code) => [code, names.of(code)]).sort(([, a], [, b]) => order(a, b)));
    }
    return sorted.get(locale);
}

/** The country that a browser's languages name, or ''. */
export function likelyCountry(tags) {
    const region = tags.map((tag) => /[-_]([A-Z]{2})\b/.exec(tag)?.[1]).find(Boolean);
    return CODES.includes(region) ? region : '';
}
