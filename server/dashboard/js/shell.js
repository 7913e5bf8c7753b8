/** The frame around all screens, and the page that asks for the key. */

import { problem as problemBox } from "./components/states.js";
import { h } from "./dom.js";
import { href } from "./router.js";
import { theme } from "./theme.js";

const ENTRIES = [
  ["overview", "Overview"],
  ["queues", "Queues"],
  ["jobs", "Jobs"],
  ["deadletters", "Dead letters"],
  ["workers", "Workers"],
  ["enqueue", "Enqueue"],
  ["time", "Time machine"],
  ["log", "Log"],
];

/** The frame; the screen goes into #screen, which is left alone here. */
export function frame({ nav, title, onTheme, onSignOut }) {
  return [
    h("a", { key: "skip", class: "skip", href: "#main", on: { click: toMain } }, "Skip to content"),
    h("header", { key: "top", class: "top" },
      h("a", { class: "brand", href: href("overview") }, mark(), "Spoolog"),
      h("nav", { "aria-label": "Screens", class: "nav" }, ENTRIES.map((entry) => link(entry, nav))),
      h("div", { class: "tools" },
        h("button", { type: "button", class: "quiet", id: "theme", on: { click: onTheme } }, `Theme: ${theme()}`),
        h("button", { type: "button", class: "quiet", id: "sign-out", on: { click: onSignOut } }, "Sign out"))),
    h("main", { key: "main", class: "main", id: "main" },
      h("h1", { id: "title", tabindex: "-1" }, title),
      h("div", { id: "screen", own: "screen" })),
  ];
}

/** Bring the marked entry of the navigation into view, where there is no room for all. */
export function showCurrent() {
  const current = document.querySelector(".nav [aria-current]");
  if (!current) return;
  const bar = current.parentElement;
  bar.scrollLeft = current.offsetLeft - bar.offsetLeft - (bar.clientWidth - current.offsetWidth) / 2;
}

/** The page that asks for the API key. */
export function signIn({ problem, onKey }) {
  const submit = (event) => {
    event.preventDefault();
    const key = event.currentTarget.elements.key.value.trim();
    if (key) onKey(key);
  };
  return h("main", { key: "sign-in", class: "sign-in" },
    h("div", { class: "brand" }, mark(), "Spoolog"),
    h("h1", {}, "Sign in"),
    problem && problemBox(problem),
    h("form", { on: { submit } },
      h("label", { for: "key" }, "API key"),
      h("input", {
        id: "key", name: "key", type: "password", required: true,
        autocomplete: "current-password", spellcheck: "false", "aria-describedby": "key-help",
      }),
      h("p", { id: "key-help", class: "dim" },
        "The first start made one and kept it in ", h("code", {}, "api-key"),
        " in the data directory. It stays in this tab only."),
      h("button", { type: "submit", class: "primary" }, "Sign in")));
}

function link([name, label], current) {
  return h("a", { key: name, href: href(name), "aria-current": name === current ? "page" : null }, label);
}

function mark() {
  return h("img", { src: "dashboard/icon.svg", alt: "", width: 22, height: 22 });
}

/** Not by the address: the part behind # belongs to the screens. */
function toMain(event) {
  event.preventDefault();
  document.getElementById("title").focus();
}
