/** Light, dark, or as the system has it; remembered, since it is no secret. */

const NAME = "spoolog.theme";
const ORDER = ["auto", "light", "dark"];

/** The one chosen: "auto", "light" or "dark". */
export function theme() {
  const stored = localStorage.getItem(NAME);
  return ORDER.includes(stored) ? stored : "auto";
}

/** Choose the next one, in turn. */
export function nextTheme() {
  const next = ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length];
  localStorage.setItem(NAME, next);
  applyTheme();
}

/** Show the page in the chosen one. */
export function applyTheme() {
  document.documentElement.dataset.theme = theme();
}
