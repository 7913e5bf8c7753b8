/** Dead letters: a page of them, to look into, send back or delete; of one queue or of all. */

import { inspect, purge, retry } from "../deadactions.js";
import { h } from "../dom.js";
import { ago, count, dateTime, shortId } from "../format.js";
import { href } from "../router.js";
import { pager } from "./pager.js";
import { panel } from "./panel.js";
import { empty } from "./states.js";
import { sortOf, table } from "./table.js";

const LIMIT = 50;
const NEWEST_FIRST = "-updated_at";

/** Load the page that the address asks for. */
export function loadDead(api, query, signal) {
  const { by, descending } = sortOf(query.order, NEWEST_FIRST);
  const { queue_name, q, contains } = query;
  return api.page("jobs/dlq", {
    queue_name, q, contains, order_by: by, order_dir: descending ? "desc" : "asc", limit: LIMIT, offset: query.offset,
  }, { signal });
}

/** Show it; `filter` is what "all" means in "retry all" and "purge all". */
export function deadLetters({ items, hasMore }, { filter, ctx, aside }) {
  const there = new Set(items.map(({ id }) => id));
  const selection = new Set([...(ctx.ui.selection ?? [])].filter((id) => there.has(id)));
  const offset = Number(ctx.query.offset ?? 0);
  return panel({ title: "Out of retries", id: "deadletters", aside },
    items.length > 0 && bulk(selection, filter, ctx),
    table({
      caption: "Dead letters", columns: columns(filter, ctx), rows: items, rowKey: ({ id }) => id,
      sort: sortOf(ctx.query.order, NEWEST_FIRST),
      onSort: (by, descending) => ctx.go({ order: `${descending ? "-" : ""}${by}`, offset: null }),
      selection, onSelect: (changed) => ctx.set({ selection: changed }),
      nothing: nothing(filter, offset),
    }),
    pager({ offset, limit: LIMIT, shown: items.length, hasMore, onPage: (to) => ctx.go({ offset: to || null }) }));
}

function nothing({ queue_name: _ofOne, ...narrower }, offset) {
  if (offset > 0 || Object.keys(narrower).length > 0) return empty("No dead letter matches");
  return empty("No dead letters", "Jobs that are out of retries come here.");
}

function bulk(selection, filter, ctx) {
  const chosen = { job_ids: [...selection] };
  const none = selection.size === 0;
  const button = (label, work, { disabled = false, id, danger } = {}) =>
    h("button", { key: id, id, type: "button", class: danger ? "bad" : null, disabled, on: { click: work } }, label);
  return h("div", { class: "bulk", role: "group", "aria-label": "Actions" },
    button("Retry selected", () => retry(chosen, ctx), { disabled: none, id: "retry-selected" }),
    button("Purge selected…", () => purge(chosen, ctx), { disabled: none, id: "purge-selected", danger: true }),
    button("Retry all…", () => retry(filter, ctx), { id: "retry-all" }),
    button("Purge all…", () => purge(filter, ctx), { id: "purge-all", danger: true }),
    h("span", { class: "dim", role: "status" }, none ? "" : `${count(selection.size, "job")} selected`));
}

function columns({ queue_name: ofOne }, ctx) {
  return [
    { key: "id", label: "Job", cell: ({ id }) => h("button", { type: "button", class: "link", "aria-label": `Inspect job ${id}`, on: { click: () => inspect(id, ctx) } }, h("code", {}, shortId(id))) },
    !ofOne && { key: "queue_name", label: "Queue", sort: true, cell: ({ queue_name: name }) => h("a", { href: href(["queues", name]) }, name) },
    { key: "error", label: "Error", wide: true, cell: ({ last_error: error }) => h("span", { class: "clamp", title: error }, error ?? "–") },
    { key: "job_type", label: "Type", minor: true, cell: ({ job_type: type }) => type || "–" },
    { key: "retry_count", label: "Retries", numeric: true, sort: true, minor: true, cell: (job) => `${job.retry_count} of ${job.max_retries}` },
    { key: "updated_at", label: "Last attempt", numeric: true, sort: true, cell: ({ started_at: at }) => h("span", { title: dateTime(at) }, ago(at, ctx.now())) },
    { key: "created_at", label: "Created", numeric: true, sort: true, minor: true, cell: ({ created_at: at }) => h("span", { title: dateTime(at) }, ago(at, ctx.now())) },
    { key: "retry", label: "Action", last: true, cell: ({ id }) => h("button", { type: "button", class: "small", "aria-label": `Retry job ${id}`, on: { click: () => retry({ job_ids: [id] }, ctx) } }, "Retry") },
  ].filter(Boolean);
}
