// Light or dark: as the system says, or as the person has chosen.

const STORE = 'checkout-dashboard-theme';
export const THEMES = ['system', 'light', 'dark'];
export const theme = () => localStorage.getItem(STORE) ?? 'system';

export function applyTheme() {
    const chosen = theme();
    if (chosen === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    dispatchEvent(new Event('theme'));
}

export function setTheme(chosen) {
    localStorage.setItem(STORE, chosen);
    applyTheme();
}
