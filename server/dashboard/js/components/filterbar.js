/**
 * The filter of a list as one line of text, completed while it is typed (WAI-ARIA's combobox with a
 * listbox: arrow keys choose, Enter takes or searches, Escape closes), and what it says as buttons.
 */

import { completions, without } from "../completion.js";
import { h } from "../dom.js";
import { print } from "../filter.js";

const ID = "job-filter";
const LIST = `${ID}-list`;

/** The bar; `filter` is the parsed `text`, `known` what values are completed with. */
export function filterBar({ text, filter, known, ctx }) {
  const apply = (wanted) => ctx.go({ q: wanted.trim() || null, offset: null });
  const submit = (event) => {
    event.preventDefault();
    close(ctx);
    apply(event.currentTarget.elements[ID].value);
  };
  return h("form", { key: "filter", class: "stack", role: "search", "aria-label": "Filter jobs", on: { submit } },
    h("label", { key: "label", class: "hidden", for: ID }, "Filter"),
    h("div", { key: "bar", class: "filterbar" },
      h("div", { class: "combo" }, input({ text, known, ctx, apply }), list({ ctx, apply })),
      h("button", { type: "submit" }, "Search")),
    h("p", { key: "help", id: `${ID}-help`, class: filter.terms.length > 0 ? "hidden" : "dim" },
      "Such as ", h("code", {}, 'status:failed queue:mail error:"timed out" since:2h'),
      ". Other words are looked for in ids, queues and types."),
    chips(filter, apply),
    filter.problems.length > 0 && h("div", { key: "problems", class: "problem", role: "alert" },
      h("ul", {}, filter.problems.map((one) => h("li", {}, one)))));
}

function input({ text, known, ctx, apply }) {
  const combo = ctx.ui.combo;
  const open = (event) => show(event.currentTarget, known, ctx);
  const active = combo && combo.active >= 0 ? `${LIST}-${combo.active}` : null;
  return h("input", {
    id: ID, name: ID, type: "text", role: "combobox", autocomplete: "off", autocapitalize: "none", spellcheck: "false",
    placeholder: "Filter", enterkeyhint: "search", "aria-autocomplete": "list", "aria-expanded": String(Boolean(combo)), "aria-controls": LIST,
    "aria-activedescendant": active, "aria-describedby": `${ID}-help`, value: text,
    on: { input: open, click: open, blur: () => close(ctx), keydown: (event) => pressed(event, { known, ctx, apply }) },
  });
}

function list({ ctx, apply }) {
  const combo = ctx.ui.combo;
  // Not on click: the field would lose the focus first.
  const take = (option) => (event) => {
    event.preventDefault();
    choose(document.getElementById(ID), option, { ctx, apply, known: ctx.ui.combo.known });
  };
  return h("ul", { id: LIST, class: "options", role: "listbox", "aria-label": "Suggestions", hidden: !combo },
    combo?.options.map((option, index) => h("li", {
      key: option.label, id: `${LIST}-${index}`, role: "option", "aria-selected": String(index === combo.active), on: { pointerdown: take(option) },
    }, h("code", {}, option.label), option.help && h("span", { class: "dim" }, option.help))));
}

function chips({ terms }, apply) {
  if (terms.length === 0) return null;
  return h("ul", { key: "chips", class: "row", "aria-label": "Filters" },
    terms.map((term) => {
      const shown = print([term]);
      const remove = () => apply(without(terms, term));
      return h("li", { key: shown }, h("button", { type: "button", class: "small chip", "aria-label": `Remove ${shown}`, on: { click: remove } },
        h("span", { class: "chip-text" }, shown), h("span", { "aria-hidden": "true" }, "✕")));
    }));
}

function pressed(event, { known, ctx, apply }) {
  const { combo } = ctx.ui;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && !combo) show(event.currentTarget, known, ctx);
  else if (step) move(combo, step, ctx);
  else if (event.key === "Escape" && combo) close(ctx);
  else if (event.key === "Enter" && combo && combo.active >= 0) choose(event.currentTarget, combo.options[combo.active], { ctx, apply, known });
  else return;
  event.preventDefault();
}

function move({ options, active, known }, step, ctx) {
  const next = active < 0 && step < 0 ? options.length - 1 : (active + step + options.length) % options.length;
  ctx.set({ combo: { options, known, active: next } });
  document.getElementById(`${LIST}-${next}`)?.scrollIntoView({ block: "nearest" });
}

function show(field, known, ctx) {
  const options = completions(field.value, field.selectionStart ?? field.value.length, known);
  ctx.set({ combo: options.length > 0 ? { options, known, active: -1 } : null });
}

function close(ctx) {
  if (ctx.ui.combo) ctx.set({ combo: null });
}

function choose(field, option, { ctx, apply, known }) {
  field.value = option.text;
  field.setSelectionRange(option.caret, option.caret);
  if (!option.done) {
    show(field, known, ctx);
    return;
  }
  close(ctx);
  apply(option.text);
}
