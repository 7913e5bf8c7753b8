/** Taking back what someone did: the server is asked first what would go back, and what no longer can. */

import { confirmDialog, showDialog } from "./components/dialog.js";
import { toast } from "./components/toast.js";
import { h } from "./dom.js";
import { count, dateTime, number, shortId } from "./format.js";

const SYSTEM = "system";
const UNDOABLE = new Set([
  "bulk.applied", "undo.applied",
  "job.deleted", "job.cancelled", "job.cancel_requested", "job.retried", "job.priority_changed", "job.restored", "job.reverted",
  "queue.deleted", "queue.configured", "queue.paused", "queue.resumed", "queue.restored",
]);

/** A button for a record that somebody may want to take back; nothing for others. */
export function takeBackButton({ position, by, events }, ctx) {
  if (by === SYSTEM || !events.some(({ type }) => UNDOABLE.has(type))) return null;
  return h("button", { type: "button", id: `take-back-${position}`, on: { click: () => takeBack(position, ctx) } }, "Take back…");
}

async function takeBack(position, ctx) {
  let told;
  try {
    told = await ctx.api.post("log/undo", { position, dry_run: true });
  } catch (error) {
    toast(`Taking back record ${number(position)}: ${error.message}`, { error });
    return;
  }
  if (told.undone === 0) {
    showDialog({ title: "Nothing can be taken back", body: described(told) });
    return;
  }
  const answer = await confirmDialog({ title: `Take back: ${told.what}?`, body: described(told), confirm: `Take back ${number(told.undone)}`, danger: true });
  if (!answer) return;
  ctx.act("Taking back", async () => {
    const done = await ctx.api.post("log/undo", { position });
    const left = done.cannot > 0 ? `, ${number(done.cannot)} stayed` : "";
    return `${number(done.undone)} taken back${left}, in record ${number(done.positions[0])}`;
  });
}

function described({ what, by, at, undone, cannot, refused }) {
  return [
    h("p", { class: "big-count" }, `${count(undone, "job or queue", "jobs and queues")} would go back`),
    h("p", {}, `${what} by `, h("code", { title: by }, shortId(by)), `, ${dateTime(at)}. The log keeps both: what was done, and that it was taken back.`),
    cannot > 0 && h("div", {}, h("p", {}, `${number(cannot)} cannot:`),
      h("ul", { class: "scroll short", tabindex: "0", role: "region", "aria-label": "What cannot go back" }, refused.map(({ job_id: job, queue, reason }) => h("li", {}, h("code", {}, job ?? queue), ": ", reason)))),
  ];
}
