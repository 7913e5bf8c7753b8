/** Tabs (the pattern of WAI-ARIA): arrow keys move among them, Tab goes on to the panel. */

import { h } from "../dom.js";

/** A row of tabs `[name, label]` and the panel of the chosen one. */
export function tabs({ label, entries, chosen, onChoose, panel }) {
  const names = entries.map(([name]) => name);
  const keydown = (event) => {
    const next = neighbour(names, chosen, event.key);
    if (!next) return;
    event.preventDefault();
    onChoose(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  const tab = ([name, text]) => h("button", {
    key: name, type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "tab-panel",
    "aria-selected": String(name === chosen), tabindex: name === chosen ? "0" : "-1",
    on: { click: () => onChoose(name), keydown },
  }, text);
  return [
    h("div", { key: "tabs", class: "tabs", role: "tablist", "aria-label": label }, entries.map(tab)),
    h("div", { key: `panel-${chosen}`, id: "tab-panel", role: "tabpanel", "aria-labelledby": `tab-${chosen}` }, panel),
  ];
}

function neighbour(names, chosen, pressed) {
  const at = names.indexOf(chosen);
  const to = {
    ArrowRight: (at + 1) % names.length,
    ArrowLeft: (at - 1 + names.length) % names.length,
    Home: 0,
    End: names.length - 1,
  }[pressed];
  return to === undefined ? null : names[to];
}
