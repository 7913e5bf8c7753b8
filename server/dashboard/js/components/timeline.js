/** Everything that happened to a job, oldest first: what, when, how long after, by whom, where in the log. */

import { h } from "../dom.js";
import { clock, count, dateTime, millis, number, shortId } from "../format.js";
import { href } from "../router.js";
import { takeBackButton } from "../undo.js";
import { badge } from "./badge.js";
import { table } from "./table.js";

const WORDS = {
  created: "created", claimed: "claimed", completed: "completed", failed: "failed", lease_extended: "lease extended",
  lease_expired: "lease ran out", due: "its time came", expired: "expired", cancelled: "cancelled",
  cancel_requested: "asked to stop", unblocked: "parent completed", released: "taken back", retried: "retried",
  priority_changed: "priority changed", settlement_refused: "late write refused",
  reverted: "taken back to before", restored: "there again", deleted: "deleted",
};
const TONES = {
  created: "pending", claimed: "processing", completed: "completed", failed: "failed", lease_expired: "failed",
  expired: "cancelled", cancelled: "cancelled", retried: "pending", settlement_refused: "paused",
};
/** Times in events are microseconds; these fields hold one. */
const MOMENTS = ["retry_at", "lease_until", "due_at", "scheduled_at", "expires_at"];
/** Shown where they belong, not among the details. */
const SHOWN_ELSEWHERE = ["worker", "error", "prev"];

/** The table of the events of a job. */
export function timeline(events, job, ctx) {
  return table({ caption: "What happened", columns: columns(job, ctx), rows: events, rowKey: ({ id }) => id });
}

function columns(job, ctx) {
  return [
    { key: "event", label: "Event", head: true, cell: ({ event_type: type }) => badge(TONES[type] ?? "plain", WORDS[type] ?? type.replaceAll("_", " ")) },
    { key: "at", label: "When", cell: ({ created_at: at }) => h("time", { datetime: at, title: at }, sameDay(at, job.created_at) ? clock(at) : dateTime(at)) },
    { key: "after", label: "After", numeric: true, cell: ({ since_last_ms: since }) => (since === null || since === undefined ? "–" : millis(since)) },
    { key: "position", label: "Position", numeric: true, cell: ({ position }) => positionLink(position, job) },
    { key: "by", label: "By", cell: by },
    { key: "more", label: "Details", wide: true, cell: (event) => more(event, ctx) },
  ];
}

function positionLink(position, job) {
  return h("a", { href: href("time", { at: position, job: job.id }), title: "As it was then" }, number(position));
}

function by({ actor, worker_id: worker }) {
  return [h("code", { title: actor }, shortId(actor)), worker && [" for ", h("code", { title: worker }, shortId(worker))]];
}

function more(event, ctx) {
  const { id, details, changes, attempt, position, request_id: request, created_at: at } = event;
  const told = Object.entries(details).filter(([name]) => !SHOWN_ELSEWHERE.includes(name));
  const entries = [
    attempt > 0 && ["attempt", number(attempt)],
    ...told.map(([name, value]) => [name, shown(name, value)]),
    ["time", at],
    request && ["request", request],
  ].filter(Boolean);
  const summary = changes?.length > 0 ? count(changes.length, "change") : "more";
  return [
    details.error !== undefined && h("span", { class: "clamp bad", title: details.error }, details.error),
    h("details", { key: id, class: "behind" }, h("summary", {}, summary),
      changes?.length > 0 && h("ul", { class: "changes" }, changes.map(({ field, before, after }) => h("li", { key: field },
        h("code", {}, field), ": ", h("span", { class: "before" }, text(before)), " → ", h("span", {}, text(after))))),
      h("dl", { class: "changes" }, entries.map(([name, value]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, h("code", {}, value)))))),
    takeBackButton({ position, by: event.actor, events: [{ type: `job.${event.event_type}` }] }, ctx),
  ];
}

function shown(name, value) {
  return MOMENTS.includes(name) && typeof value === "number" ? dateTime(value / 1_000) : text(value);
}

function text(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function sameDay(one, other) {
  return new Date(one).toDateString() === new Date(other).toDateString();
}
