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

/** The words of differences, marked. */
export function delta(...texts) {
  const told = texts.filter(Boolean);
  return told.length > 0 ? told.map((text) => h("span", { key: text, class: "delta" }, text)) : h("span", { class: "dim none" }, "–");
}

/** What the column is called. */
export function deltaLabel(vs) {
  return vs === "now" ? "Until now" : "Change";
}
