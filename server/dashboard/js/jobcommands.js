/** What can be done with one job, as far as its status lets it. */

import { urlOf } from "./api.js";
import { copyButton } from "./components/copy.js";
import { confirmDialog, field } from "./components/dialog.js";
import { toast } from "./components/toast.js";
import { curl } from "./curl.js";
import { h } from "./dom.js";
import { isOver } from "./jobstream.js";
import { href } from "./router.js";

const REASON_CHARACTERS_MAX = 500;

/** The buttons. */
export function jobActions(job, ctx) {
  const { status } = job;
  const waits = status === "pending" || status === "scheduled";
  const button = (id, label, work, tone) => h("button", { key: id, id, type: "button", class: tone, on: { click: () => work(job, ctx) } }, label);
  return h("div", { class: "row", role: "group", "aria-label": "Actions" },
    (status === "deadletter" || status === "failed") && button("retry", "Retry", retry, "primary"),
    waits && button("priority", "Priority…", changePriority),
    !isOver(job) && job.cancel_requested_at === null && button("cancel", waits ? "Cancel…" : "Ask to stop…", cancel),
    isOver(job) && button("delete", "Delete…", remove, "bad"),
    h("a", { key: "again", class: "button", href: href("enqueue", { like: job.id }) }, "Enqueue again…"),
    copyButton("Copy as curl", () => curl("POST", urlOf("jobs"), bodyLike(job))));
}

/** What enqueues a job like this one: all that somebody chose, but its key, which was met before. */
export function bodyLike(job) {
  const body = { queue_name: job.queue_name, payload: job.payload, priority: job.priority, max_retries: job.max_retries, timeout_seconds: job.timeout_seconds };
  return job.tags === null ? body : { ...body, tags: job.tags };
}

function pathOf(job) {
  return `jobs/${encodeURIComponent(job.id)}`;
}

function retry(job, ctx) {
  ctx.act("Retry", async () => {
    await ctx.api.post(`${pathOf(job)}/retry`);
    return "Sent back to its queue";
  });
}

async function changePriority(job, ctx) {
  const answer = await confirmDialog({
    title: "Change priority", body: h("p", {}, "Jobs of a higher priority are handed out first."), confirm: "Change",
    fields: field({ name: "priority", label: "Priority", type: "number", required: true, min: -100, max: 100, step: 1, value: String(job.priority) }),
  });
  if (!answer) return;
  ctx.act("Changing the priority", async () => {
    const { old_priority: before, new_priority: after } = await ctx.api.put(`${pathOf(job)}/priority`, { priority: Number(answer.priority) });
    return `Priority ${after}, was ${before}`;
  });
}

async function cancel(job, ctx) {
  const runs = job.status === "processing";
  const answer = await confirmDialog({
    title: runs ? "Ask its worker to stop?" : "Cancel this job?",
    body: h("p", {}, runs ? "The worker hears of it with its next heartbeat." : "No worker will get it."),
    fields: field({ name: "reason", label: "Reason", maxlength: REASON_CHARACTERS_MAX, help: "Kept in the log." }),
    confirm: runs ? "Ask" : "Cancel the job", danger: true,
  });
  if (!answer) return;
  ctx.act("Cancelling", async () => {
    const told = await ctx.api.post(`${pathOf(job)}/cancel`, answer.reason ? { reason: answer.reason } : {});
    return told.cancel_requested ? "Its worker will be asked" : "Cancelled";
  });
}

async function remove(job, ctx) {
  const answer = await confirmDialog({
    title: "Delete this job?", confirm: "Delete", danger: true,
    body: h("p", {}, "It is deleted for good. The log keeps what happened to it."),
  });
  if (!answer) return;
  try {
    const { affected } = await ctx.api.post("jobs/actions", { action: "purge", filter: { job_ids: [job.id] } });
    toast(affected > 0 ? "Deleted" : "It was not deleted: its state has changed");
    // Not by ctx.act, which would load the job again: it is gone.
    if (affected > 0) location.hash = href("jobs");
  } catch (error) {
    toast(`Delete failed: ${error.message}`, { error });
  }
}
