/**
 * Tables: sortable, with rows that can be selected, and a caption for who does not see them.
 *
 * A column: {key, label, cell: (row) => nodes, numeric?, sort? (it can be sorted by),
 * minor? (left out on a phone), head? (a line's beginning there), wide? (a line of its
 * own), last? (at its end)}. On a phone a row is a card; the roles are there because its cells are
 * then no table to the browser.
 */

import { h } from "../dom.js";

/** A table; `sort` is {by, descending}, `onSort(by, descending)`; `selection` is a Set of row keys. */
export function table({ caption, columns, rows, rowKey, sort, onSort, selection, onSelect, nothing }) {
  if (rows.length === 0 && nothing) return nothing;
  const head = h("tr", { role: "row" },
    selection && h("th", { class: "pick", scope: "col", role: "columnheader" }, pickAll(rows.map(rowKey), selection, onSelect)),
    columns.map((column) => heading(column, sort, onSort)));
  const body = rows.map((row) => line(row, { key: rowKey(row), columns, selection, onSelect }));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${caption}, table` },
    h("table", { class: "cards", role: "table" }, h("caption", { class: "hidden" }, caption),
      h("thead", { role: "rowgroup" }, head), h("tbody", { role: "rowgroup" }, body)));
}

/** Rows in the order that `sort` asks for; `values` gives what to compare, by column. */
export function sorted(rows, { by, descending }, values) {
  const value = values[by];
  if (!value) return rows;
  const sign = descending ? -1 : 1;
  return [...rows].sort((one, other) => sign * compared(value(one), value(other)));
}

/** Read "-depth" as {by: "depth", descending: true}. */
export function sortOf(text, fallback) {
  const wanted = text || fallback;
  return { by: wanted.replace(/^-/, ""), descending: wanted.startsWith("-") };
}

function compared(one, other) {
  if (one === other) return 0;
  if (one === null || one === undefined) return -1;
  if (other === null || other === undefined) return 1;
  return typeof one === "string" ? one.localeCompare(other) : one - other;
}

function heading(column, sort, onSort) {
  const isSorted = sort?.by === column.key;
  const order = sort?.descending ? "descending" : "ascending";
  const classes = classesOf(column);
  if (!column.sort || !onSort) return h("th", { key: column.key, scope: "col", role: "columnheader", class: classes }, column.label);
  const turn = () => onSort(column.key, isSorted ? !sort.descending : Boolean(column.numeric));
  return h("th", { key: column.key, scope: "col", role: "columnheader", class: classes, "aria-sort": isSorted ? order : "none" },
    h("button", { type: "button", class: "sort", on: { click: turn } },
      column.label, h("span", { class: "arrow", "aria-hidden": "true" }, isSorted ? (sort.descending ? "↓" : "↑") : "")));
}

function line(row, { key, columns, selection, onSelect }) {
  const picked = selection?.has(key);
  const cell = (column) => h("td", {
    key: column.key, role: "cell", class: classesOf(column), "data-label": column.label,
  }, column.cell(row));
  return h("tr", { key, role: "row", class: picked ? "picked" : null },
    selection && h("td", { class: "pick", role: "cell" }, pick(key, selection, onSelect)),
    columns.map(cell));
}

function pick(key, selection, onSelect) {
  const change = (event) => onSelect(toggled(selection, [key], event.currentTarget.checked));
  return h("input", { type: "checkbox", checked: selection.has(key), "aria-label": `Select ${key}`, on: { change } });
}

function pickAll(keys, selection, onSelect) {
  const there = keys.filter((key) => selection.has(key)).length;
  const change = (event) => onSelect(toggled(selection, keys, event.currentTarget.checked));
  return h("input", {
    type: "checkbox", checked: there > 0 && there === keys.length,
    indeterminate: there > 0 && there < keys.length, "aria-label": "Select all on this page", on: { change },
  });
}

function toggled(selection, keys, on) {
  const changed = new Set(selection);
  for (const key of keys) {
    if (on) changed.add(key);
    else changed.delete(key);
  }
  return changed;
}

function classesOf({ numeric, minor, wide, head, last }) {
  return [head && "head", numeric && "number", minor && "minor", wide && "wide", last && "last"].filter(Boolean).join(" ") || null;
}
