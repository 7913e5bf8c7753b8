/** All queues, side by side. */

import { panel } from "../components/panel.js";
import { glanceTable, VALUES } from "../components/queuetable.js";
import { empty } from "../components/states.js";
import { sorted, sortOf } from "../components/table.js";
import { h } from "../dom.js";
import { count } from "../format.js";

const WORST_FIRST = "-oldest_claimable_secs";
const LISTED_MAX = 100;

export const view = {
  path: "queues",
  nav: "queues",
  title: () => "Queues",
  everyMs: 2_000,
  load: ({ api, signal }) => api.get("dashboard", null, { signal }),
  render: ({ glance }, ctx) => {
    const sort = sortOf(ctx.query.sort, WORST_FIRST);
    const text = (ctx.query.q ?? "").toLowerCase();
    const found = glance.filter(({ name }) => name.toLowerCase().includes(text));
    const onSort = (by, descending) => ctx.go({ sort: `${descending ? "-" : ""}${by}` });
    return panel({ title: count(found.length, "queue"), id: "queues", aside: search(ctx) },
      text && found.length === 0
        ? empty("No queue has that in its name")
        : glanceTable(sorted(found, sort, VALUES), { caption: "Queues", sort, onSort }),
      glance.length >= LISTED_MAX && h("p", { class: "dim" },
        "These are the hundred where jobs wait longest. The address of any other is #/queues/ and its name."));
  },
};

function search(ctx) {
  const input = (event) => ctx.go({ q: event.currentTarget.value }, { replace: true });
  return h("input", {
    id: "queue-filter", type: "search", placeholder: "Filter by name", "aria-label": "Filter queues by name",
    value: ctx.query.q ?? "", on: { input },
  });
}
