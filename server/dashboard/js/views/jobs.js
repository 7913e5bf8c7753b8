/** All jobs: filtered by one line of text, sorted, in pages, and what can be done with many of them. */

import { bulkBar } from "../components/bulkbar.js";
import { copyButton } from "../components/copy.js";
import { filterBar } from "../components/filterbar.js";
import { jobTable } from "../components/jobtable.js";
import { pager } from "../components/pager.js";
import { panel } from "../components/panel.js";
import { sortOf } from "../components/table.js";
import { urlOf } from "../api.js";
import { curl } from "../curl.js";
import { h } from "../dom.js";
import { parse, toParameters } from "../filter.js";
import { count } from "../format.js";
import { href } from "../router.js";
import { steadyRows, watched } from "../steadyrows.js";

const LIMIT = 50;
const NEWEST_FIRST = "-created_at";

export const view = {
  path: "jobs",
  nav: "jobs",
  title: () => "Jobs",
  everyMs: 3_000,
  load: async (ctx) => {
    const { api, signal } = ctx;
    const filter = parse(ctx.query.q ?? "");
    const parameters = filter.problems.length > 0 ? null : toParameters(filter, ctx.now());
    const [queues, list] = await Promise.all([api.get("queues", null, { signal }), parameters && loadList(parameters, ctx)]);
    return { queues, parameters, ...list };
  },
  render: (data, ctx) => {
    const text = ctx.query.q ?? "";
    const filter = parse(text);
    const known = { queues: data.queues.map(({ queue_name: name }) => name) };
    return [
      filterBar({ text, filter, known, ctx }),
      data.rows && listPanel(data, ctx),
    ];
  },
};

async function loadList(parameters, ctx) {
  const page = await ctx.api.page("jobs", pageOf(parameters, ctx.query), { signal: ctx.signal });
  return { rows: await steadyRows(page, ctx), hasMore: page.hasMore };
}

function listPanel({ rows: { items, more }, parameters, hasMore }, ctx) {
  const offset = Number(ctx.query.offset ?? 0);
  const there = new Set(items.map(({ id }) => id));
  const selection = new Set([...(ctx.ui.selection ?? [])].filter((id) => there.has(id)));
  const onSelect = (changed) => ctx.set({ selection: changed, all: null });
  return panel({ title: "Jobs", id: "jobs", aside: aside(parameters, ctx) },
    items.length > 0 && bulkBar({ selection, onPage: items.length, hasMore: hasMore || offset > 0, parameters, ctx }),
    more > 0 && heldBack(more, ctx),
    h("div", { key: "rows", on: watched(ctx.ui) },
      jobTable(items, {
        now: ctx.now(), selection, onSelect,
        sort: sortOf(ctx.query.order, NEWEST_FIRST),
        onSort: (by, descending) => ctx.go({ order: `${descending ? "-" : ""}${by}`, offset: null }),
        narrowed: Object.keys(parameters).length > 0 || offset > 0,
      })),
    pager({ offset, limit: LIMIT, shown: items.length, hasMore, onPage: (to) => turnTo(to, ctx) }));
}

function heldBack(more, ctx) {
  const show = () => {
    ctx.set({ rows: null });
    ctx.reload();
  };
  return h("div", { key: "held", class: "notice", role: "status" },
    h("span", {}, `${count(more, "row")} would be another by now.`),
    h("button", { type: "button", class: "small", on: { click: show } }, "Show what is there now"));
}

function aside(parameters, ctx) {
  const request = () => curl("GET", urlOf("jobs", pageOf(parameters, ctx.query)));
  return [copyButton("Copy as curl", request), h("a", { class: "button", href: href("enqueue") }, "Enqueue a job")];
}

function turnTo(offset, ctx) {
  ctx.set({ selection: null, all: null });
  ctx.go({ offset: offset || null });
  document.getElementById("jobs-title")?.scrollIntoView({ block: "nearest" });
}

function pageOf(parameters, query) {
  const { by, descending } = sortOf(query.order, NEWEST_FIRST);
  return { ...parameters, order_by: by, order_dir: descending ? "desc" : "asc", limit: LIMIT, offset: query.offset };
}
