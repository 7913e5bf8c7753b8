/**
 * A JSON value to read: objects and arrays fold, and are made only when they are unfolded.
 *
 * However large it is, little of it is on the page at a time: a browser needs long to lay out a
 * million characters. More of a text or a list is shown when somebody asks for it.
 */

import { h } from "../dom.js";
import { number } from "../format.js";

const OPEN_LEVELS = 2;
const OPEN_ENTRIES_MAX = 50;
const ENTRIES_AT_ONCE = 100;
const CHARACTERS_AT_ONCE = 1_000;
const MORE_CHARACTERS = 10_000;

/** Show a value. */
export function jsonView(value, label = "JSON") {
  return h("div", { class: "json", role: "group", "aria-label": label, own: JSON.stringify(value) }, part(value, null, 0));
}

function part(value, name, level) {
  const entries = entriesOf(value);
  if (entries === null || entries.length === 0) return h("div", { class: "json-line" }, nameOf(name), scalar(value));
  const rows = h("div", { class: "json-rows" });
  const fill = () => {
    if (rows.childElementCount === 0) append(rows, entries, 0, level + 1);
  };
  const open = level < OPEN_LEVELS && entries.length <= OPEN_ENTRIES_MAX;
  if (open) fill();
  const size = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  return h("details", { open, on: { toggle: fill } },
    h("summary", {}, nameOf(name), h("span", { class: "json-size" }, size)), rows);
}

function append(rows, entries, from, level) {
  const to = Math.min(from + ENTRIES_AT_ONCE, entries.length);
  rows.append(...entries.slice(from, to).map(([key, one]) => part(one, key, level)));
  if (to === entries.length) return;
  rows.append(h("div", { class: "json-line" }, moreButton(`… ${number(entries.length - to)} more`, (line) => {
    line.parentElement.remove();
    append(rows, entries, to, level);
    rows.children[to].querySelector("summary, button")?.focus();
  })));
}

function entriesOf(value) {
  if (value === null || typeof value !== "object") return null;
  return Array.isArray(value) ? value.map((one, index) => [index, one]) : Object.entries(value);
}

function nameOf(name) {
  return name === null ? null : [h("span", { class: "json-name" }, short(String(name))), ": "];
}

function scalar(value) {
  const kind = value === null ? "null" : typeof value;
  const text = JSON.stringify(value);
  const to = placeNear(text, CHARACTERS_AT_ONCE);
  const shown = h("span", { class: `json-${kind}` }, text.slice(0, to));
  return to < text.length ? [shown, rest(shown, text, to)] : shown;
}

function rest(shown, text, from) {
  return moreButton(`… ${number(text.length - from)} characters more`, (button) => {
    const to = placeNear(text, from + MORE_CHARACTERS);
    // A box of its own: all that stood there before need not be laid out again.
    shown.append(h("span", { class: "json-part" }, text.slice(from, to)));
    if (to === text.length) {
      button.remove();
      return;
    }
    const next = rest(shown, text, to);
    button.replaceWith(next);
    next.focus();
  });
}

/** Give a place where a text may be cut: not within a character of two halves. */
function placeNear(text, place) {
  return Math.min(text.length, text.codePointAt(place - 1) > 0xffff ? place + 1 : place);
}

function moreButton(label, show) {
  return h("button", { type: "button", class: "link", on: { click: (event) => show(event.currentTarget) } }, label);
}

function short(text) {
  return text.length > CHARACTERS_AT_ONCE ? `${text.slice(0, CHARACTERS_AT_ONCE)}…` : text;
}
