/** One queue: its figures over time, its dead letters, its configuration. */

import { badge } from "../components/badge.js";
import { configForm } from "../components/configform.js";
import { deadLetters, loadDead } from "../components/deadletters.js";
import { confirmDialog, field } from "../components/dialog.js";
import { optional } from "../components/states.js";
import { tabs } from "../components/tabs.js";
import { h } from "../dom.js";
import { filterOf } from "../filter.js";
import { ago, dateTime, number, shortId } from "../format.js";
import { href } from "../router.js";
import { queueFigures } from "./queuefigures.js";

const HOUR_SECS = 3_600;
const REASON_CHARACTERS_MAX = 500;

export const view = {
  path: "queues/:name",
  nav: "queues",
  title: ({ name }) => name,
  everyMs: 5_000,
  load: async ({ api, params: { name }, query, signal }) => {
    const at = `queues/${encodeURIComponent(name)}`;
    const [queue, stats, dashboard, series, timings, dead] = await Promise.all([
      api.get(at, null, { signal }),
      api.get(`${at}/stats`, null, { signal }),
      optional(api.get("dashboard", null, { signal })),
      optional(api.get(`${at}/series`, { since_secs: query.since ?? HOUR_SECS }, { signal })),
      optional(api.get(`${at}/timings`, null, { signal })),
      query.tab === "dead" ? loadDead(api, { ...query, queue_name: name }, signal) : null,
    ]);
    const glance = dashboard.value?.glance.find((one) => one.name === name) ?? null;
    return { queue, stats, glance, series, timings, dead };
  },
  render: (data, ctx) => [
    headline(data, ctx),
    tabs({
      label: "Parts of this queue",
      chosen: ctx.query.tab ?? "figures",
      onChoose: (tab) => ctx.go({ tab: tab === "figures" ? null : tab, offset: null, order: null }),
      entries: [["figures", "Figures"], ["dead", deadLabel(data)], ["config", "Configuration"]],
      panel: panelOf(data, ctx),
    }),
  ],
};

function panelOf(data, ctx) {
  const filter = { queue_name: ctx.params.name };
  if (ctx.query.tab === "config") return configForm(data.queue, ctx);
  if (ctx.query.tab === "dead") return data.dead && deadLetters(data.dead, { filter, ctx });
  return queueFigures(data, ctx);
}

function deadLabel({ glance }) {
  return glance ? `Dead letters (${number(glance.deadletter)})` : "Dead letters";
}

function headline({ queue }, ctx) {
  const paused = queue.paused_at !== null;
  const button = paused
    ? h("button", { type: "button", class: "primary", id: "resume", on: { click: () => resume(ctx) } }, "Resume")
    : h("button", { type: "button", id: "pause", on: { click: () => pause(ctx) } }, "Pause…");
  return h("div", { key: "headline", class: paused ? "notice warn" : "row" },
    h("div", { class: "row" }, badge(paused ? "paused" : "running"), paused && why(queue, ctx)),
    h("div", { class: "row" },
      h("a", { class: "button", href: href("jobs", { q: filterOf({ queue: queue.queue_name }) }) }, "Jobs of this queue"),
      h("a", { class: "button", href: href("time", { queue: queue.queue_name }) }, "As it was…"), button));
}

function why({ paused_by: by, paused_at: since, paused_reason: reason }, ctx) {
  return h("span", { title: dateTime(since) },
    "by ", h("code", { title: by }, shortId(by ?? "unknown")), " ", ago(since, ctx.now()), reason ? `: ${reason}` : "");
}

async function pause(ctx) {
  const { name } = ctx.params;
  const answer = await confirmDialog({
    title: `Pause ${name}?`,
    body: h("p", {}, "No more jobs are handed out. Those that run may still be settled, and new ones are taken in."),
    fields: field({ name: "reason", label: "Reason", maxlength: REASON_CHARACTERS_MAX, help: "Whoever wonders will see it." }),
    confirm: "Pause",
  });
  if (!answer) return;
  const body = answer.reason ? { reason: answer.reason } : {};
  ctx.act("Pause", async () => {
    await ctx.api.post(`queues/${encodeURIComponent(name)}/pause`, body);
    return `${name} is paused`;
  });
}

function resume(ctx) {
  const { name } = ctx.params;
  ctx.act("Resume", async () => {
    await ctx.api.post(`queues/${encodeURIComponent(name)}/resume`);
    return `${name} goes on`;
  });
}
