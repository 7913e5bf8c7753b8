/** Jobs as rows. */

import { h } from "../dom.js";
import { ago, dateTime, number, shortId } from "../format.js";
import { href } from "../router.js";
import { badge } from "./badge.js";
import { empty } from "./states.js";
import { table } from "./table.js";

/** A table of job summaries as the API gives them; `narrowed` when a filter may be why it is empty. */
export function jobTable(jobs, { now, sort, onSort, selection, onSelect, narrowed }) {
  return table({
    caption: "Jobs", columns: columns(now), rows: jobs, rowKey: ({ id }) => id, sort, onSort, selection, onSelect,
    nothing: narrowed ? empty("No job matches") : empty("No jobs yet", h("a", { href: href("enqueue") }, "Enqueue a first one"), "."),
  });
}

function columns(now) {
  const moment = (at) => h("span", { title: dateTime(at) }, ago(at, now));
  return [
    { key: "id", label: "Job", head: true, cell: ({ id }) => h("a", { href: href(["jobs", id]), title: id }, h("code", {}, shortId(id))) },
    { key: "status", label: "Status", sort: true, cell: ({ status }) => badge(status) },
    { key: "queue_name", label: "Queue", sort: true, cell: ({ queue_name: name }) => h("a", { href: href(["queues", name]) }, name) },
    { key: "job_type", label: "Type", minor: true, cell: ({ job_type: type }) => type || "–" },
    { key: "error", label: "Last error", wide: true, cell: ({ last_error: error }) => error !== null && h("span", { class: "clamp", title: error }, error) },
    { key: "priority", label: "Priority", numeric: true, sort: true, minor: true, cell: ({ priority }) => number(priority) },
    { key: "retry_count", label: "Retries", numeric: true, sort: true, cell: (job) => `${number(job.retry_count)} of ${number(job.max_retries)}` },
    { key: "created_at", label: "Created", numeric: true, sort: true, cell: ({ created_at: at }) => moment(at) },
    { key: "completed_at", label: "Ended", numeric: true, sort: true, minor: true, cell: ({ completed_at: at }) => moment(at) },
  ];
}
