/** The answer to one of the three questions, in a word, with what it rests on. */

import { h } from "../dom.js";

/** One question; `tone` is good, warn or bad. */
export function verdict({ id, question, answer, tone }, ...because) {
  return h("section", { key: id, id, class: `verdict ${tone}`, "aria-labelledby": `${id}-question` },
    h("h2", { id: `${id}-question` }, question),
    h("p", { class: "answer" }, answer),
    because.filter(Boolean).map((one) => h("p", { class: "dim" }, one)));
}
