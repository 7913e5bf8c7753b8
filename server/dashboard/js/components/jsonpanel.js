/** A panel with a JSON value: folded, or as plain text to copy. */

import { h } from "../dom.js";
import { bytes } from "../format.js";
import { copyButton } from "./copy.js";
import { jsonView } from "./json.js";
import { panel } from "./panel.js";

/** Show a value of a job. */
export function jsonPanel({ title, id, value }) {
  const text = JSON.stringify(value);
  return panel({ title, id, aside: [h("span", {}, bytes(new Blob([text]).size)), copyButton("Copy", () => JSON.stringify(value, null, 2))] },
    jsonView(value, title));
}
