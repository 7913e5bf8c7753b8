/** Dialogs, on the browser's own <dialog>: it keeps the focus inside, and Escape closes it. */

import { h } from "../dom.js";

/** Ask before something is done; gives what the fields hold, by name, or null. */
export function confirmDialog({ title, body, confirm, danger = false, fields = [] }) {
  return new Promise((resolve) => {
    let answer = null;
    const submit = (event) => {
      event.preventDefault();
      answer = Object.fromEntries(new FormData(event.currentTarget));
      box.close();
    };
    const box = open(title, h("form", { on: { submit } },
      h("div", { class: "dialog-body" }, body, fields),
      h("div", { class: "dialog-buttons" },
        h("button", { type: "button", on: { click: () => box.close() } }, "Cancel"),
        h("button", { type: "submit", class: danger ? "danger" : "primary" }, confirm))));
    box.addEventListener("close", () => resolve(answer));
  });
}

/** Show something until it is closed; gives the function that closes it. */
export function showDialog({ title, body, wide = false }) {
  const box = open(title, [
    h("div", { class: "dialog-body" }, body),
    h("div", { class: "dialog-buttons" },
      h("button", { type: "button", class: "primary", on: { click: () => box.close() } }, "Close")),
  ], wide);
  return () => box.close();
}

/** A labelled field for a dialog or a form. */
export function field({ name, label, help, ...props }) {
  const id = `field-${name}`;
  return h("div", { class: "field" },
    h("label", { for: id }, label),
    h("input", { id, name, "aria-describedby": help ? `${id}-help` : null, ...props }),
    help && h("p", { id: `${id}-help`, class: "dim" }, help));
}

function open(title, content, wide = false) {
  const box = h("dialog", { class: wide ? "wide" : null, "aria-labelledby": "dialog-title" },
    h("h2", { id: "dialog-title" }, title), content);
  const leave = () => box.close();
  window.addEventListener("hashchange", leave);
  box.addEventListener("close", () => {
    window.removeEventListener("hashchange", leave);
    box.remove();
  });
  document.body.append(box);
  box.showModal();
  return box;
}
