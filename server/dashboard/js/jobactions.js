/** What can be done with many jobs at once: counted on the server first, and asked with that number. */

import { confirmDialog, field } from "./components/dialog.js";
import { toast } from "./components/toast.js";
import { h } from "./dom.js";
import { STATUSES } from "./filter.js";
import { count, number } from "./format.js";

const PRIORITY_MAX = 100;
const VERBS = {
  retry: { word: "Retry", past: "sent back", what: "They go back to their queues, with a retry count of 0.", which: "failed or dead" },
  cancel: { word: "Cancel", past: "cancelled or asked to stop", what: "Those that wait are cancelled; workers of running ones are asked to stop.", which: "waiting or running" },
  purge: { word: "Delete", past: "deleted", what: "They are deleted for good. The log keeps what happened to them.", which: "in a state where they have ended", danger: true },
  set_priority: { word: "Change priority", past: "changed", what: "Their place in line changes.", which: "waiting with another priority" },
};

/** The verbs, in the order of their buttons, with their words. */
export const ACTIONS = Object.entries(VERBS).map(([verb, { word, danger }]) => ({ verb, word, danger }));

/** Do something to the jobs that match; gives whether it was done. `filter` may be {job_ids}. */
export async function actOnMany(verb, filter, ctx) {
  const wanted = { action: verb, filter: named(filter), ...(verb === "set_priority" && await askPriority()) };
  if (verb === "set_priority" && wanted.priority === undefined) return false;
  const counted = await counts(wanted, ctx);
  if (!counted || !(await confirmed(verb, counted, wanted))) return false;
  const { word, past } = VERBS[verb];
  return ctx.act(word, async () => `${count((await ctx.api.post("jobs/actions", wanted)).affected, "job")} ${past}`);
}

/** How many jobs match a filter; null when the server does not say. */
export async function countMatching(filter, ctx) {
  return (await asked({ action: "cancel", filter: named(filter) }, ctx))?.matched ?? null;
}

/** The API wants a criterion: all jobs are those of any status. */
function named(filter) {
  return Object.keys(filter).length > 0 ? filter : { status: STATUSES.join(",") };
}

async function counts(wanted, ctx) {
  const counted = await asked(wanted, ctx);
  if (!counted) return null;
  if (counted.affected > 0) return counted;
  toast(counted.matched === 0 ? "Nothing matches any more" : `${count(counted.matched, "job")}, none of them ${VERBS[wanted.action].which}`);
  return null;
}

async function asked(wanted, ctx) {
  try {
    return await ctx.api.post("jobs/actions", { ...wanted, dry_run: true });
  } catch (error) {
    toast(error.message, { error });
    return null;
  }
}

async function askPriority() {
  const answer = await confirmDialog({
    title: "Change priority",
    body: h("p", {}, "Jobs of a higher priority are handed out first."),
    fields: field({ name: "priority", label: "Priority", type: "number", required: true, min: -PRIORITY_MAX, max: PRIORITY_MAX, step: 1, value: "0" }),
    confirm: "Go on",
  });
  return answer ? { priority: Number(answer.priority) } : {};
}

async function confirmed(verb, { matched, affected }, { priority }) {
  const { word, what, which, danger } = VERBS[verb];
  const answer = await confirmDialog({
    title: verb === "set_priority" ? `Set priority ${priority}?` : `${word} jobs?`,
    body: [
      h("p", { class: "big-count" }, count(affected, "job")),
      h("p", {}, what),
      matched > affected && h("p", { class: "dim" }, `${count(matched, "job")} match; the others are not ${which}, and stay as they are.`),
    ],
    confirm: `${word} ${number(affected)}`,
    danger,
  });
  return answer !== null;
}
