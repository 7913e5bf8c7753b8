/** A JSON value to read: objects and arrays fold, and are made only when they are unfolded. */

import { h } from "../dom.js";

const OPEN_LEVELS = 2;
const OPEN_ENTRIES_MAX = 50;
const SHOWN_ENTRIES_MAX = 1_000;

/** Show a value. */
export function jsonView(value, label = "JSON") {
  return h("div", { class: "json", role: "group", "aria-label": label, own: JSON.stringify(value) }, part(value, null, 0));
}

function part(value, name, level) {
  const entries = entriesOf(value);
  if (entries === null || entries.length === 0) return h("div", { class: "json-line" }, nameOf(name), scalar(value));
  const rows = h("div", { class: "json-rows" });
  const fill = () => {
    if (rows.childElementCount > 0) return;
    const shown = entries.slice(0, SHOWN_ENTRIES_MAX);
    rows.append(...shown.map(([key, one]) => part(one, key, level + 1)));
    const more = entries.length - shown.length;
    if (more > 0) rows.append(h("div", { class: "json-line dim" }, `… and ${more} more`));
  };
  const open = level < OPEN_LEVELS && entries.length <= OPEN_ENTRIES_MAX;
  if (open) fill();
  const size = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  return h("details", { open, on: { toggle: fill } },
    h("summary", {}, nameOf(name), h("span", { class: "json-size" }, size)), rows);
}

function entriesOf(value) {
  if (value === null || typeof value !== "object") return null;
  return Array.isArray(value) ? value.map((one, index) => [index, one]) : Object.entries(value);
}

function nameOf(name) {
  return name === null ? null : [h("span", { class: "json-name" }, String(name)), ": "];
}

function scalar(value) {
  const kind = value === null ? "null" : typeof value;
  return h("span", { class: `json-${kind}` }, JSON.stringify(value));
}
