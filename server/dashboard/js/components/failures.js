/** What failed, grouped by what the error says; each group leads to a job that it happened to. */

import { h } from "../dom.js";
import { filterOf } from "../filter.js";
import { ago, count, number } from "../format.js";
import { href } from "../router.js";
import { empty } from "./states.js";

/** The groups, biggest first. */
export function failureList(groups, now) {
  if (groups.length === 0) return empty("No failed attempt in the last 24 hours");
  return h("ul", { class: "failures" }, groups.map((group) => line(group, now)));
}

function line({ signature, count: failed, last_at, queues, example_job_id, example_error }, now) {
  const jobs = href("jobs", { q: filterOf({ kind: signature, queue: queues.length === 1 ? queues[0] : null }) });
  return h("li", { key: signature },
    h("span", { class: "count" }, number(failed), h("span", { class: "hidden" }, " times")),
    h("span", { class: "what clamp", title: example_error }, signature || "(no message)"),
    h("span", { class: "links" },
      h("a", { href: href(["jobs", example_job_id]) }, "Example job"),
      h("a", { href: jobs }, "Jobs with this error"),
      h("span", {}, queues.length > 3 ? count(queues.length, "queue") : queues.join(", ")),
      h("span", {}, ago(last_at, now))));
}
