/** The workers that announced themselves: whether they live, and how much they have in hand. */

import { badge } from "../components/badge.js";
import { panel } from "../components/panel.js";
import { empty } from "../components/states.js";
import { table } from "../components/table.js";
import { h } from "../dom.js";
import { filterOf } from "../filter.js";
import { ago, count, dateTime, number, shortId } from "../format.js";
import { href } from "../router.js";

const LISTED_MAX = 100;

export const view = {
  path: "workers",
  nav: "workers",
  title: () => "Workers",
  everyMs: 3_000,
  load: ({ api, signal }) => api.get("workers", null, { signal }),
  render: (workers, ctx) => panel({ title: count(workers.length, "worker"), id: "workers" },
    table({
      caption: "Workers", columns: columns(ctx.now()), rows: workers, rowKey: ({ id }) => id,
      nothing: empty("No worker has announced itself", "Workers need not: see ", h("code", {}, "POST /workers/register"), "."),
    }),
    workers.length >= LISTED_MAX && h("p", { class: "dim" }, "These are the hundred that were last heard of.")),
};

function columns(now) {
  const moment = (at) => h("span", { title: dateTime(at) }, ago(at, now));
  return [
    { key: "id", label: "Worker", head: true, cell: ({ id }) => h("code", { title: id }, shortId(id)) },
    { key: "status", label: "Status", cell: ({ status }) => badge(status) },
    { key: "host", label: "Host", minor: true, cell: ({ hostname }) => hostname },
    { key: "queue", label: "Queue", cell: ({ queue_name: name }) => h("a", { href: href(["queues", name]) }, name) },
    { key: "jobs", label: "Jobs", numeric: true, cell: (worker) => h("a", {
      href: href("jobs", { q: filterOf({ status: "processing", queue: worker.queue_name }) }), title: "Running jobs of its queue",
    }, `${number(worker.current_jobs)} of ${number(worker.max_concurrency)}`) },
    { key: "heartbeat", label: "Heard of", numeric: true, cell: ({ last_heartbeat: at }) => moment(at) },
    { key: "registered", label: "Registered", numeric: true, minor: true, cell: ({ registered_at: at }) => moment(at) },
    { key: "version", label: "Version", minor: true, cell: ({ version, worker_type: type }) => [type, version].filter(Boolean).join(" ") || "–" },
  ];
}
