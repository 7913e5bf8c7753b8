/** Queues side by side: what waits, runs and died, how fast it goes, and how late it is. */

import { h } from "../dom.js";
import { compact, duration, rate } from "../format.js";
import { href } from "../router.js";
import { badge } from "./badge.js";
import { empty } from "./states.js";
import { table } from "./table.js";

const COLUMNS = [
  { key: "name", label: "Queue", sort: true, head: true, cell: (queue) => h("a", { href: href(["queues", queue.name]) }, queue.name) },
  { key: "paused", label: "State", sort: true, cell: ({ paused }) => badge(paused ? "paused" : "running") },
  { key: "pending", label: "Pending", numeric: true, sort: true, cell: ({ pending }) => compact(pending) },
  { key: "scheduled", label: "Scheduled", numeric: true, sort: true, minor: true, cell: ({ scheduled }) => compact(scheduled) },
  { key: "processing", label: "Running", numeric: true, sort: true, cell: ({ processing }) => compact(processing) },
  { key: "deadletter", label: "Dead", numeric: true, sort: true, cell: (queue) => dead(queue) },
  { key: "oldest_claimable_secs", label: "Oldest", numeric: true, sort: true, cell: (queue) => duration(queue.oldest_claimable_secs) },
  { key: "in_per_min", label: "In /min", numeric: true, sort: true, minor: true, cell: (queue) => rate(queue.in_per_min) },
  { key: "out_per_min", label: "Out /min", numeric: true, sort: true, minor: true, cell: (queue) => rate(queue.out_per_min) },
];

/** What each column is sorted by. */
export const VALUES = Object.fromEntries(COLUMNS.map(({ key }) => [key, (queue) => queue[key]]));

/** A table of queues as the dashboard's figures give them. */
export function glanceTable(queues, { caption, sort, onSort }) {
  return table({
    caption, columns: COLUMNS, rows: queues, rowKey: (queue) => queue.name, sort, onSort,
    nothing: empty("No queues yet", "The first job that is enqueued makes one."),
  });
}

function dead({ name, deadletter }) {
  if (deadletter === 0) return compact(0);
  return h("a", { class: "bad", href: href(["queues", name], { tab: "dead" }) }, compact(deadletter));
}
