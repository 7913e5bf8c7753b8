/** What stands where there is nothing to show: still loading, empty, refused, out of date. */

import { isAborted } from "../api.js";
import { h } from "../dom.js";
import { clock } from "../format.js";

/** Still loading: grey lines where text will be. */
export function loading() {
  return h("div", { key: "loading", class: "loading", role: "status" },
    h("span", { class: "hidden" }, "Loading"),
    [1, 2, 3].map((line) => h("div", { key: line, class: "bone", "aria-hidden": "true" })));
}

/** Nothing there, and what that means. */
export function empty(title, ...more) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), more.length > 0 && h("p", {}, more));
}

/** What was refused or went wrong, with all that helps to find out why. */
export function problem(error, retry = null) {
  return h("div", { key: "problem", class: "problem", role: "alert" },
    h("p", { class: "problem-title" }, error.message),
    error.details && h("ul", {}, error.details.map(({ field, message }) => h("li", {}, h("code", {}, field), " ", message))),
    error.code && h("p", { class: "dim" }, h("code", {}, error.code), error.requestId && [" request ", h("code", {}, error.requestId)]),
    retry && h("button", { type: "button", on: { click: () => retry() } }, "Try again"));
}

/** That the rest of the screen is old, since it could not be loaded again. */
export function stale(error, loadedAt, retry) {
  return h("div", { key: "stale", class: "notice bad", role: "status" },
    h("span", {}, `${error.message} What you see is from ${clock(loadedAt)}.`),
    h("button", { type: "button", class: "small", on: { click: () => retry() } }, "Try now"));
}

/** A part that the rest of a screen can do without: gives `{value}` or `{error}`. */
export async function optional(asked) {
  try {
    return { value: await asked };
  } catch (error) {
    if (isAborted(error)) throw error;
    return { error };
  }
}
