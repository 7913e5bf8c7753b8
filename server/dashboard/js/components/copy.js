/** A text, such as an id, with a button that copies it. */

import { h } from "../dom.js";
import { toast } from "./toast.js";

/** Show `text` (or `shown` in its place) with a button that copies `text`. */
export function copyable(text, shown = text) {
  return h("span", { class: "copyable" },
    h("code", { title: text }, shown),
    h("button", { type: "button", class: "quiet small", "aria-label": `Copy ${text}`, on: { click: () => copy(text) } }, "Copy"));
}

/** A button that copies what `text()` gives when it is pressed. */
export function copyButton(label, text) {
  return h("button", { type: "button", on: { click: () => copy(text()) } }, label);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("The browser does not allow copying here");
  }
}
