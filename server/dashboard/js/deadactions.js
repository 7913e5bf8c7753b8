/** What can be done with dead letters. Whatever reaches further than what is seen is counted first. */

import { badge } from "./components/badge.js";
import { copyable } from "./components/copy.js";
import { confirmDialog, showDialog } from "./components/dialog.js";
import { jsonView } from "./components/json.js";
import { facts } from "./components/panel.js";
import { toast } from "./components/toast.js";
import { h } from "./dom.js";
import { count, dateTime, number } from "./format.js";
import { href } from "./router.js";

/** Send dead letters back to their queues: those of `job_ids`, or all that match. */
export async function retry(filter, ctx) {
  if (!filter.job_ids && !(await confirmed("retry", filter, ctx))) return;
  ctx.act("Retry", async () => `${count((await perform("retry", filter, ctx)).affected, "job")} sent back`);
}

/** Delete dead letters for good. */
export async function purge(filter, ctx) {
  if (!(await confirmed("purge", filter, ctx))) return;
  ctx.act("Purge", async () => `${count((await perform("purge", filter, ctx)).affected, "dead letter")} purged`);
}

/** Show a whole job beside the list. */
export async function inspect(id, ctx) {
  let job;
  try {
    job = await ctx.api.get(`jobs/${encodeURIComponent(id)}`);
  } catch (error) {
    toast(error.message, { error });
    return;
  }
  const again = () => {
    close();
    retry({ job_ids: [id] }, ctx);
  };
  const close = showDialog({ title: "Dead letter", wide: true, body: [
    h("div", { class: "row" }, badge(job.status), copyable(job.id),
      h("a", { href: href(["jobs", job.id]) }, "The whole job and its history"),
      job.status === "deadletter" && h("button", { type: "button", on: { click: again } }, "Retry")),
    job.last_error && h("div", { class: "error-text", tabindex: "0", role: "region", "aria-label": "Last error" }, job.last_error),
    facts([
      ["Queue", h("a", { href: href(["queues", job.queue_name]) }, job.queue_name)],
      ["Retries", `${number(job.retry_count)} of ${number(job.max_retries)}`],
      ["Created", dateTime(job.created_at)],
      ["Last attempt", dateTime(job.started_at)],
      ["Priority", number(job.priority)],
      job.idempotency_key && ["Idempotency key", h("code", {}, job.idempotency_key)],
    ]),
    h("h3", {}, "Payload"), jsonView(job.payload, "Payload"),
    job.tags && [h("h3", {}, "Tags"), jsonView(job.tags, "Tags")],
  ] });
}

async function confirmed(verb, filter, ctx) {
  let matched;
  try {
    ({ matched } = await perform(verb, filter, ctx, true));
  } catch (error) {
    toast(error.message, { error });
    return false;
  }
  if (matched === 0) {
    toast("Nothing matches any more");
    return false;
  }
  const purging = verb === "purge";
  const answer = await confirmDialog({
    title: purging ? "Purge dead letters?" : "Retry dead letters?",
    body: [
      h("p", { class: "big-count" }, count(matched, "dead letter")),
      h("p", {}, purging ? "They are deleted for good. The log keeps what happened to them." : "They go back to their queues, with a retry count of 0."),
      described(filter),
    ],
    confirm: `${purging ? "Purge" : "Retry"} ${number(matched)}`,
    danger: purging,
  });
  return answer !== null;
}

function described({ job_ids: ids, ...filter }) {
  if (ids) return h("p", { class: "dim" }, "Those that are selected.");
  const parts = Object.entries(filter).filter(([, value]) => value);
  return h("p", { class: "dim" }, parts.length === 0
    ? "All, of all queues."
    : ["All with ", parts.map(([name, value], index) => [index > 0 && ", ", `${name} `, h("code", {}, value)]), "."]);
}

function perform(action, filter, ctx, dryRun = false) {
  return ctx.api.post("jobs/actions", { action, filter: { ...filter, status: "deadletter" }, dry_run: dryRun });
}
