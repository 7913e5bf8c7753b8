/** What could come next in a filter: names of fields, statuses, queues. Pure. */

import { FIELDS, parse, print, quoted, STATUSES } from "./filter.js";

const SHOWN_MAX = 9;
const SPANS = ["15m", "1h", "24h", "7d"];

/**
 * What fits at the caret: [{label, help, text, caret, done}]. Choosing one makes the filter `text`
 * with the caret there; `done` when the term is whole.
 */
export function completions(text, caret, known) {
  const term = parse(text).terms.find(({ start, end }) => start < caret && caret <= end);
  if (!term) return names(text, caret, caret, "");
  if (term.field === null) return names(text, term.start, term.end, term.value);
  const begun = term.field === "status" ? term.value.split(",").at(-1) : term.value;
  const before = term.value.slice(0, term.value.length - begun.length);
  const fitting = valuesOf(term.field, known).filter((value) => value !== begun && value.toLowerCase().includes(begun.toLowerCase()));
  return fitting.slice(0, SHOWN_MAX).map((value) => {
    const whole = `${term.field}:${quoted(before + value)}`;
    return { label: value, help: "", done: true, ...spliced(text, term.start, term.end, `${whole} `) };
  });
}

/** The filter without one of its terms. */
export function without(terms, gone) {
  return print(terms.filter((term) => term !== gone));
}

function names(text, start, end, begun) {
  return Object.entries(FIELDS).filter(([name]) => name.startsWith(begun.toLowerCase()))
    .map(([name, { help }]) => ({ label: `${name}:`, help, done: false, ...spliced(text, start, end, `${name}:`) }));
}

function valuesOf(field, { queues }) {
  if (field === "status") return STATUSES;
  if (field === "queue") return queues;
  return field === "since" || field === "before" ? SPANS : [];
}

function spliced(text, start, end, inserted) {
  const rest = inserted.endsWith(" ") ? text.slice(end).trimStart() : text.slice(end);
  return { text: text.slice(0, start) + inserted + rest, caret: start + inserted.length };
}
