/** Short messages that come and go; screen readers hear them through the live region #toasts. */

import { h } from "../dom.js";

const SHOWN_MS = 5_000;
const ERROR_SHOWN_MS = 15_000;

/** Say something; with an `error` it stays longer and tells the request's id. */
export function toast(text, { error = null } = {}) {
  const remove = () => box.remove();
  const box = h("div", { class: error ? "toast bad" : "toast" },
    h("span", {}, text, error?.requestId && h("small", {}, ` (request ${error.requestId})`)),
    h("button", { type: "button", class: "quiet small", "aria-label": "Dismiss", on: { click: remove } }, "✕"));
  document.getElementById("toasts").append(box);
  setTimeout(remove, error ? ERROR_SHOWN_MS : SHOWN_MS);
}
