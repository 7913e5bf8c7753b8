/** The parts that screens are put together from: panels, and figures with their names. */

import { h } from "../dom.js";

/** A titled part of a screen; `aside` stands beside the title, such as buttons. */
export function panel({ title, id, aside, tone }, ...children) {
  return h("section", { key: id, id, class: tone ? `panel ${tone}` : "panel", "aria-labelledby": `${id}-title` },
    h("header", { class: "panel-head" }, h("h2", { id: `${id}-title` }, title), aside && h("div", { class: "aside" }, aside)),
    children);
}

/** Figures side by side. */
export function figures(...entries) {
  return h("dl", { class: "figures" }, entries);
}

/** One figure: its name, the value, and what helps to judge it. */
export function figure({ label, value, note, tone }) {
  return h("div", { key: label, class: tone ? `figure ${tone}` : "figure" },
    h("dt", {}, label), h("dd", {}, value), note && h("dd", { class: "note" }, note));
}

/** Names and values, one a line. */
export function facts(entries) {
  return h("dl", { class: "facts" },
    entries.filter(Boolean).map(([label, value]) => h("div", { key: label }, h("dt", {}, label), h("dd", {}, value))));
}
