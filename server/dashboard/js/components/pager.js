/** Back and forth between the pages of a list. */

import { h } from "../dom.js";
import { number } from "../format.js";

/** A pager over `shown` items behind `offset`; `onPage(offset)`. */
export function pager({ offset, limit, shown, hasMore, onPage }) {
  if (offset === 0 && !hasMore) return null;
  const button = (label, to, disabled) =>
    h("button", { type: "button", disabled, on: { click: () => onPage(to) } }, label);
  return h("nav", { class: "pager", "aria-label": "Pages" },
    button("Previous", Math.max(0, offset - limit), offset === 0),
    h("span", { class: "dim" }, shown > 0 ? `${number(offset + 1)}–${number(offset + shown)}` : "nothing here"),
    button("Next", offset + limit, !hasMore));
}
