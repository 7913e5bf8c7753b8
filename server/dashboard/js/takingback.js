/** Taking back what someone did: tried first, and asked with what it would do. */

import { confirmDialog } from "./components/dialog.js";
import { toast } from "./components/toast.js";
import { h } from "./dom.js";
import { count, dateTime, number } from "./format.js";

const SYSTEM = "system";
const KINDS = ["cancelled", "cancel_requested", "retried", "priority_changed", "deleted", "reverted", "restored"];

/** Whether an event of a job is of a kind that may be taken back: what a person did. */
export function mayBeTakenBack({ event_type: type, actor }) {
  return actor !== SYSTEM && KINDS.includes(type);
}

/** Take back what the record at a position did, with the whole action it was part of. */
export async function takeBack(position, ctx) {
  let tried;
  try {
    tried = await ctx.api.post("log/undo", { position, dry_run: true });
  } catch (error) {
    toast(error.message, { error });
    return;
  }
  if (tried.undone === 0) {
    toast(`It cannot be taken back: ${tried.refused[0]?.reason ?? "nothing is left of it"}`);
    return;
  }
  if (!(await confirmed(tried))) return;
  ctx.act("Taking back", async () => {
    const { undone } = await ctx.api.post("log/undo", { position });
    return `Taken back: ${number(undone)}`;
  });
}

async function confirmed({ what, by, at, undone, cannot, refused }) {
  const answer = await confirmDialog({
    title: `Take back: ${what}?`,
    body: [
      h("p", { class: "big-count" }, count(undone, "job or queue", "jobs and queues")),
      h("p", {}, "It was done by ", h("code", {}, by), ` at ${dateTime(at)}. What was changed becomes what it was; the log keeps both.`),
      cannot > 0 && h("div", { class: "notice warn" }, h("p", {}, `${number(cannot)} stay as they are.`),
        h("ul", {}, refused.slice(0, 5).map(({ job_id: job, queue, reason }) => h("li", {}, h("code", {}, job ?? queue), " ", reason)))),
    ],
    confirm: `Take back ${number(undone)}`,
  });
  return answer !== null;
}
