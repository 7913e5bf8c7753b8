/** What there was at a moment: counts, queues, jobs and one job, each with what is otherwise. */

import { badge } from "../components/badge.js";
import { delta, deltaLabel, difference, signed } from "../components/delta.js";
import { jsonView } from "../components/json.js";
import { panel } from "../components/panel.js";
import { empty } from "../components/states.js";
import { table } from "../components/table.js";
import { h } from "../dom.js";
import { dateTime, duration, number, shortId } from "../format.js";
import { href } from "../router.js";
import { FIGURES_MAX } from "../world.js";

const STATUSES = ["pending", "scheduled", "processing", "completed", "failed", "deadletter", "cancelled"];
const FIELDS = [
  ["status", "Status"], ["queue_name", "Queue"], ["priority", "Priority"], ["retry_count", "Retries"],
  ["max_retries", "Retries at most"], ["assigned_worker_id", "Worker"], ["created_at", "Created"],
  ["scheduled_at", "Scheduled for"], ["started_at", "Started"], ["lease_expires_at", "Lease until"],
  ["completed_at", "Ended"], ["cancel_requested_at", "Asked to stop"], ["last_error", "Last error"],
];

/** All panels below the record. */
export function worldPanels(world, ctx) {
  return [
    world.job && jobPanel(world, ctx),
    h("div", { key: "sums", class: "columns" }, counts(world), queues(world, ctx)),
    jobs(world, ctx),
  ];
}

function counts({ counts: then, otherCounts: other, vs }) {
  const line = (status) => ({ status, value: then[status], change: other && difference(then[status], other[status], vs) });
  return panel({ title: "Jobs by status", id: "time-counts", aside: `${number(then.total)} kept` }, table({
    caption: "Jobs by status at that moment",
    rows: STATUSES.map(line), rowKey: ({ status }) => status,
    columns: [
      { key: "status", label: "Status", head: true, cell: ({ status }) => badge(status) },
      { key: "value", label: "Jobs", numeric: true, cell: ({ value }) => number(value) },
      { key: "change", label: deltaLabel(vs), numeric: true, cell: ({ change }) => delta(signed(change)) },
    ],
  }));
}

function queues({ queues: found, queueNames, vs }, ctx) {
  const left = ctx.query.queue ? 0 : queueNames.length - found.length;
  return panel({ title: "Queues", id: "time-queues" }, table({
    caption: "Queues at that moment", rows: found, rowKey: ({ name }) => name,
    nothing: empty("No queues", "None had been made, or none matches."),
    columns: [
      { key: "name", label: "Queue", head: true, cell: ({ name }) => h("a", { href: href(["queues", name]) }, name) },
      { key: "state", label: "State", cell: ({ enabled }) => badge(enabled ? "running" : "paused") },
      { key: "pending", label: "Pending", numeric: true, cell: ({ figures }) => number(figures.pending_jobs) },
      { key: "scheduled", label: "Scheduled", numeric: true, minor: true, cell: ({ figures }) => number(figures.scheduled_jobs) },
      { key: "running", label: "Running", numeric: true, cell: ({ figures }) => number(figures.processing_jobs) },
      { key: "oldest", label: "Oldest", numeric: true, minor: true, cell: ({ figures }) => duration(figures.max_job_age_seconds) },
      { key: "change", label: deltaLabel(vs), last: true, cell: (queue) => delta(...queueChange(queue, vs)) },
    ],
  }), left > 0 && h("p", { class: "dim" }, `The first ${FIGURES_MAX} by name; choose a queue below to see any other of the ${number(left)}.`));
}

function queueChange({ enabled, figures, other }, vs) {
  if (other === null) return [vs === "now" ? "gone" : "new"];
  const parts = [["pending", figures.pending_jobs], ["scheduled", figures.scheduled_jobs], ["running", figures.processing_jobs]]
    .map(([name, then]) => [signed(difference(then, other[name], vs)), name])
    .filter(([text]) => text).map(([text, name]) => `${name} ${text}`);
  if (other.paused === enabled) {
    const isPaused = vs === "now" ? other.paused : !enabled;
    parts.unshift(isPaused ? "paused" : "resumed");
  }
  return parts;
}

function jobs({ jobs: { value: found, hasMore }, changes, queueNames, vs }, ctx) {
  const change = ({ id }) => (vs === "now" && changes[id] && changes[id] !== "gone" ? badge(changes[id]) : delta(changes[id]));
  return panel({ title: "Jobs", id: "time-jobs", aside: filters(queueNames, ctx) }, table({
    caption: "Jobs at that moment", rows: found, rowKey: ({ id }) => id,
    nothing: empty("No job matches", "There was none like that at this moment."),
    columns: [
      { key: "id", label: "Job", head: true, cell: ({ id }) => h("a", { href: href("time", { ...ctx.query, job: id }), title: id }, h("code", {}, shortId(id))) },
      { key: "queue", label: "Queue", cell: ({ queue_name: name }) => name },
      { key: "status", label: "Status", cell: ({ status }) => badge(status) },
      { key: "priority", label: "Priority", numeric: true, minor: true, cell: ({ priority }) => number(priority) },
      { key: "retries", label: "Retries", numeric: true, minor: true, cell: (job) => `${job.retry_count} of ${job.max_retries}` },
      { key: "created", label: "Created", numeric: true, minor: true, cell: ({ created_at: at }) => dateTime(at) },
      { key: "change", label: vs === "now" ? "Now" : deltaLabel(vs), last: true, cell: change },
    ],
  }), hasMore && h("p", { class: "dim" }, `The newest ${number(found.length)}; there were more.`));
}

function filters(names, ctx) {
  const select = (name, label, every, values) => h("select", {
    id: `time-${name}`, "aria-label": label, value: ctx.query[name] ?? "", on: { change: (event) => ctx.go({ [name]: event.currentTarget.value || null }) },
  }, h("option", { value: "" }, every), values.map((value) => h("option", { key: value, value }, value)));
  const chosen = ctx.query.queue;
  const all = chosen && !names.includes(chosen) ? [chosen, ...names] : names;
  return h("div", { class: "row selects" },
    select("queue", "Queue", "All queues", all), select("status", "Status", "All statuses", STATUSES));
}

function jobPanel({ job, vs }, ctx) {
  const close = h("div", { class: "row" },
    h("a", { href: href(["jobs", job.id]) }, "As of now, with its history"),
    h("button", { type: "button", class: "small", on: { click: () => ctx.go({ job: null }) } }, "Close"));
  return panel({ title: `Job ${shortId(job.id)}`, id: "time-job", aside: close },
    job.then ? jobThen(job, vs) : empty("There was no such job at this moment"));
}

function jobThen({ then, explained, other }, vs) {
  const rows = FIELDS.map(([name, label]) => ({ name, label, then: then[name], other: other?.[name] ?? null }))
    .filter((row) => row.then !== null || row.other !== null);
  const marked = (row) => other !== null && row.then !== row.other;
  const otherLabel = vs === "now" ? "Now" : "Before the record";
  return [
    explained && h("ul", { class: "stack" }, explained.reasons.map(({ code, message }) => h("li", { key: code, class: "notice" }, message))),
    other === null && h("p", { class: "dim" }, vs === "now" ? "It is gone by now." : "This record made it."),
    table({
      caption: "The job at that moment", rows, rowKey: ({ name }) => name,
      columns: [
        { key: "field", label: "Field", head: true, cell: ({ label }) => label },
        { key: "then", label: "Then", cell: (row) => (marked(row) ? h("span", { class: "delta" }, valueOf(row.name, row.then)) : valueOf(row.name, row.then)) },
        other && { key: "other", label: otherLabel, cell: (row) => h("span", { class: marked(row) ? null : "dim" }, marked(row) ? valueOf(row.name, row.other) : "the same") },
      ].filter(Boolean),
    }),
    h("h3", {}, "Payload"), jsonView(then.payload, "Payload"),
    then.result !== null && [h("h3", {}, "Result"), jsonView(then.result, "Result")],
  ];
}

function valueOf(name, value) {
  if (value === null) return "–";
  if (name === "status") return badge(value);
  return name.endsWith("_at") ? dateTime(value) : String(value);
}
