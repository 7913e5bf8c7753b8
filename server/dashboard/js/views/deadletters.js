/** The dead letters of all queues. */

import { deadLetters, loadDead } from "../components/deadletters.js";
import { h } from "../dom.js";

const FILTERS = [
  ["queue_name", "Queue", "dead-queues"],
  ["q", "Job id, queue or type", null],
  ["contains", "Text in the payload", null],
];

export const view = {
  path: "deadletters",
  nav: "deadletters",
  title: () => "Dead letters",
  everyMs: 5_000,
  load: async ({ api, query, signal }) => {
    const [page, queues] = await Promise.all([loadDead(api, query, signal), api.get("queues", null, { signal })]);
    return { page, queues };
  },
  render: ({ page, queues }, ctx) => {
    const filter = Object.fromEntries(FILTERS.map(([name]) => [name, ctx.query[name]]).filter(([, value]) => value));
    return [filters(queues, ctx), deadLetters(page, { filter, ctx })];
  },
};

function filters(queues, ctx) {
  const change = (name) => (event) => ctx.go({ [name]: event.currentTarget.value.trim(), offset: null });
  const submit = (event) => event.preventDefault();
  return h("form", { key: "filters", class: "filters", role: "search", "aria-label": "Filter dead letters", on: { submit } },
    FILTERS.map(([name, label, list]) => h("div", { key: name, class: "field" },
      h("label", { for: `filter-${name}` }, label),
      h("input", { id: `filter-${name}`, type: "search", list, autocomplete: "off", value: ctx.query[name] ?? "", on: { change: change(name) } }))),
    h("datalist", { id: "dead-queues" }, queues.map(({ queue_name: name }) => h("option", { value: name }))));
}
