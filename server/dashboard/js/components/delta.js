/** What is otherwise than at another moment, in a few words; a dash when nothing is. */

import { h } from "../dom.js";
import { number } from "../format.js";

/** +3, −2; nothing for no difference. */
export function signed(difference) {
  if (!difference) return "";
  return `${difference > 0 ? "+" : "−"}${number(Math.abs(difference))}`;
}

/** From one number to another: `vs` is "before" (from the other one) or "now" (to it). */
export function difference(then, other, vs) {
  return vs === "now" ? other - then : then - other;
}

/** The words of a difference, marked. */
export function delta(text, title = null) {
  return text ? h("span", { class: "delta", title }, text) : h("span", { class: "dim none" }, "–");
}

/** What the column is called. */
export function deltaLabel(vs) {
  return vs === "now" ? "Until now" : "Change";
}
