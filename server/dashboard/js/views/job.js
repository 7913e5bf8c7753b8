/** One job: what went wrong, why it waits, what happened to it and when, what it carries. */

import { copyable, copyButton } from "../components/copy.js";
import { attemptBars } from "../components/attempts.js";
import { badge } from "../components/badge.js";
import { jsonPanel } from "../components/jsonpanel.js";
import { facts, panel } from "../components/panel.js";
import { empty, optional, problem } from "../components/states.js";
import { timeline } from "../components/timeline.js";
import { h } from "../dom.js";
import { filterOf } from "../filter.js";
import { ago, count, dateTime, duration, number } from "../format.js";
import { jobActions } from "../jobcommands.js";
import { isOver, stream } from "../jobstream.js";
import { href } from "../router.js";

const EVENTS_MAX = 500;
const LIVE_MS = 2_000;
const OVER_MS = 15_000;

export const view = {
  path: "jobs/:id",
  nav: "jobs",
  title: ({ id }) => `Job ${id}`,
  everyMs: (data) => (data && isOver(data.job) ? OVER_MS : LIVE_MS),
  opened: (ctx) => {
    ctx.ui.stream = stream(ctx);
    return () => ctx.ui.stream.close();
  },
  load: async ({ api, params: { id }, signal, ui }) => {
    const at = `jobs/${encodeURIComponent(id)}`;
    const [job, explanation, history] = await Promise.all([
      api.get(at, null, { signal }),
      optional(api.get(`${at}/explain`, null, { signal })),
      optional(api.page(`${at}/history`, { order_dir: "desc", limit: EVENTS_MAX }, { signal })),
    ]);
    ui.stream?.follow(job);
    return { job, explanation, history };
  },
  render: (data, ctx) => [
    headline(data, ctx),
    failure(data, ctx),
    waiting(data),
    happened(data, ctx),
    h("div", { key: "content", class: "columns" },
      jsonPanel({ title: "Payload", id: "payload", value: data.job.payload }),
      data.job.result !== null && jsonPanel({ title: "Result", id: "result", value: data.job.result }),
      details(data, ctx)),
  ],
};

function headline({ job }, ctx) {
  const state = ctx.ui.stream?.state ?? "polling";
  return h("div", { key: "headline", class: "row spread" },
    h("div", { class: "row" }, badge(job.status), "in", h("a", { href: href(["queues", job.queue_name]) }, job.queue_name), copyButton("Copy id", () => job.id),
      h("span", { class: "dim", title: dateTime(job.created_at) }, `created ${ago(job.created_at, ctx.now())}`),
      !isOver(job) && h("span", { class: state === "live" ? "badge good" : "badge", id: "live" }, state === "live" ? "live" : "every 2 s")),
    jobActions(job, ctx));
}

/** The error comes first: whoever opens a failed job wants to know it. */
function failure({ job, history }, ctx) {
  if (job.last_error === null) return null;
  const dead = job.status === "deadletter" || job.status === "failed";
  const title = { deadletter: "Why it failed", failed: "Why it failed", cancelled: "Why it was cancelled" }[job.status] ?? "Why the last attempt failed";
  const event = (history.value?.items ?? []).find(({ details: told }) => told.error !== undefined);
  const line = job.last_error.split("\n").find((one) => one.trim()) ?? "";
  const alike = href("jobs", { q: filterOf({ error: line.slice(0, 200) }) });
  return panel({ title, id: "failure", tone: dead ? "wrong" : null, aside: line && h("a", { href: alike }, "Jobs with the same error") },
    h("pre", { class: "error-text", tabindex: "0", role: "region", "aria-label": "Last error" }, job.last_error),
    h("p", { class: "dim" },
      event && [h("span", { title: dateTime(event.created_at) }, ago(event.created_at, ctx.now())), ", ", `attempt ${number(event.attempt)}`,
        event.worker_id && [", worker ", h("code", {}, event.worker_id)], ". "],
      `${count(job.retry_count, "retry", "retries")} of ${number(job.max_retries)} used. `, dead && "Nothing happens now until somebody retries it."));
}

function waiting({ job, explanation }) {
  if (isOver(job)) return null;
  const title = job.status === "processing" ? "Where it is" : "Why it waits";
  if (explanation.error) return panel({ title, id: "explain" }, problem(explanation.error));
  const { reasons, ahead, ahead_at_least: atLeast, active_workers: active } = explanation.value;
  return panel({ title, id: "explain" },
    h("ul", { class: "stack" }, reasons.map((reason) => h("li", { key: reason.code }, h("code", { class: "dim" }, reason.code), " ", reason.message,
      reason.until && [" Until ", dateTime(reason.until), "."],
      reason.job_id && [" ", h("a", { href: href(["jobs", reason.job_id]) }, "That job"), "."]))),
    ahead !== null && h("p", { class: "dim" }, `${atLeast ? "At least " : ""}${count(ahead, "job")} before it, ${count(active, "active worker")}.`));
}

function happened({ history, job }, ctx) {
  if (history.error) return panel({ title: "What happened", id: "timeline" }, problem(history.error));
  const events = [...history.value.items].reverse();
  if (events.length === 0) return panel({ title: "What happened", id: "timeline" }, empty("The records that told of it have expired"));
  return [
    panel({ title: "Attempts", id: "attempts" }, attemptBars(events, isOver(job) ? null : ctx.now())),
    panel({ title: "What happened", id: "timeline", aside: history.value.hasMore ? `the last ${number(EVENTS_MAX)} events` : count(events.length, "event") },
      timeline(events, job, ctx)),
  ];
}

function details({ job }, ctx) {
  const moment = (at) => at !== null && h("span", { title: ago(at, ctx.now()) }, dateTime(at));
  const left = (at) => duration(Math.max(0, (new Date(at).getTime() - ctx.now()) / 1_000));
  const rows = [
    ["Priority", number(job.priority)],
    ["Retries", `${number(job.retry_count)} of ${number(job.max_retries)}`],
    ["Timeout", duration(job.timeout_seconds)],
    ["Worker", job.assigned_worker_id !== null && h("code", {}, job.assigned_worker_id)],
    ["Lease ends", job.lease_expires_at !== null && h("span", { title: dateTime(job.lease_expires_at) }, `in ${left(job.lease_expires_at)}`)],
    ["Lease", job.lease_id !== null && copyable(job.lease_id)],
    ["Asked to stop", moment(job.cancel_requested_at)],
    ["Scheduled for", moment(job.scheduled_at)],
    ["Started", moment(job.started_at)],
    ["Ended", moment(job.completed_at)],
    ["Expires", moment(job.expires_at)],
    ["Idempotency key", job.idempotency_key !== null && h("code", {}, job.idempotency_key)],
    ["Parent", job.parent_job_id !== null && h("a", { href: href(["jobs", job.parent_job_id]) }, job.parent_job_id)],
    ["Webhook", job.completion_webhook !== null && h("code", {}, job.completion_webhook)],
    ["Traceparent", job.traceparent !== null && copyable(job.traceparent)],
    ["Last changed at position", number(job.position)],
  ];
  return panel({ title: "Details", id: "details" },
    job.tags !== null && h("ul", { class: "row", "aria-label": "Tags" }, tagsOf(job.tags).map((tag) => h("li", { key: tag },
      h("a", { class: "badge", href: href("jobs", { q: filterOf({ tag }) }) }, tag)))),
    facts(rows.filter(([, value]) => value !== false)));
}

/** Elements of a list, or names of an object, as the API's filter finds them. */
function tagsOf(tags) {
  return Array.isArray(tags) ? tags.map((tag) => (typeof tag === "string" ? tag : JSON.stringify(tag))) : Object.keys(tags);
}
