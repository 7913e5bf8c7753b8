/** Workers as their jobs tell of them, and those that announced themselves. */

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
  load: async ({ api, signal }) => {
    const [claimants, workers] = await Promise.all(["claimants", "workers"].map((path) => api.get(path, null, { signal })));
    return { claimants, workers };
  },
  render: ({ claimants, workers }, ctx) => [
    panel({ title: "At work", id: "claimants" },
      table({
        caption: "Workers as their jobs tell of them", columns: ofClaimants(ctx.now()), rows: claimants,
        rowKey: (one) => JSON.stringify([one.queue_name, one.worker_id]),
        nothing: empty("Nobody has claimed a job since the server started"),
      }),
      mostRecent(claimants)),
    panel({ title: `Announced: ${count(workers.length, "worker")}`, id: "workers" },
      table({
        caption: "Workers that announced themselves", columns: ofWorkers(ctx.now()), rows: workers, rowKey: ({ id }) => id,
        nothing: empty("No worker has announced itself", "Workers need not: see ", h("code", {}, "POST /workers/register"), "."),
      }),
      mostRecent(workers)),
  ],
};

function mostRecent(rows) {
  return rows.length >= LISTED_MAX && h("p", { class: "dim" }, "These are the hundred that were last heard of.");
}

function moment(at, now) {
  return at === null ? "–" : h("span", { title: dateTime(at) }, ago(at, now));
}

function ofClaimants(now) {
  const figure = (key, label, options = {}) => ({ key, label, numeric: true, cell: (one) => number(one[key]), ...options });
  return [
    { key: "id", label: "Worker", head: true, cell: ({ worker_id: id }) => h("code", { title: id }, shortId(id)) },
    { key: "queue", label: "Queue", cell: ({ queue_name: name }) => h("a", { href: href(["queues", name]) }, name) },
    { key: "holding", label: "Holds", numeric: true, cell: ({ holding, queue_name: queue }) => (
      holding ? h("a", { href: href("jobs", { q: filterOf({ status: "processing", queue }) }), title: "Running jobs of this queue" }, number(holding)) : "0") },
    { key: "oldest", label: "Oldest claimed", numeric: true, cell: ({ oldest_claimed_at: at }) => moment(at, now) },
    { key: "heard", label: "Heard of", numeric: true, cell: ({ last_heard_at: at }) => moment(at, now) },
    figure("claimed", "Claimed"),
    figure("completed", "Completed"),
    figure("failed", "Failed"),
    figure("leases_lost", "Leases lost", { minor: true }),
  ];
}

function ofWorkers(now) {
  return [
    { key: "id", label: "Worker", head: true, cell: ({ id }) => h("code", { title: id }, shortId(id)) },
    { key: "status", label: "Status", cell: ({ status }) => badge(status) },
    { key: "host", label: "Host", minor: true, cell: ({ hostname }) => hostname },
    { key: "queue", label: "Queue", cell: ({ queue_name: name }) => h("a", { href: href(["queues", name]) }, name) },
    { key: "jobs", label: "Jobs", numeric: true, cell: (worker) => h("a", {
      href: href("jobs", { q: filterOf({ status: "processing", queue: worker.queue_name }) }), title: "Running jobs of its queue",
    }, `${number(worker.current_jobs)} of ${number(worker.max_concurrency)}`) },
    { key: "heartbeat", label: "Heard of", numeric: true, cell: ({ last_heartbeat: at }) => moment(at, now) },
    { key: "registered", label: "Registered", numeric: true, minor: true, cell: ({ registered_at: at }) => moment(at, now) },
    { key: "version", label: "Version", minor: true, cell: ({ version, worker_type: type }) => [type, version].filter(Boolean).join(" ") || "–" },
  ];
}
