/** The first screen: does it work, does it keep up, what is wrong? One request tells all of it. */

import { bars } from "../components/chart.js";
import { failureList } from "../components/failures.js";
import { facts, panel } from "../components/panel.js";
import { glanceTable } from "../components/queuetable.js";
import { empty } from "../components/states.js";
import { h } from "../dom.js";
import { ago, bytes, compact, count, dateTime, duration, millis, number, percent, rate, shortId } from "../format.js";
import { href } from "../router.js";
import { verdicts } from "./verdicts.js";

const STATES = [
  ["pending", 1], ["scheduled", 6], ["processing", 5], ["completed_24h", 2], ["failed_24h", 4], ["deadletter", 3],
];
const LABELS = { completed_24h: "completed, 24 h", failed_24h: "failed, 24 h", deadletter: "dead letters" };
const WAITING_SHOWN = 8;
const GLANCE_SHOWN = 20;

export const view = {
  path: "overview",
  nav: "overview",
  title: () => "Overview",
  everyMs: 2_000,
  load: ({ api, signal }) => api.get("dashboard", null, { signal }),
  render: (data, ctx) => [
    verdicts(data),
    h("div", { key: "wrong", class: "columns" }, waiting(data), failing(data, ctx)),
    paused(data, ctx),
    h("div", { key: "flow", class: "columns" }, throughput(data), states(data)),
    glance(data),
    h("div", { key: "machinery", class: "columns" }, log(data), system(data)),
  ],
};

function waiting({ glance: queues }) {
  const oldest = queues.filter((queue) => queue.oldest_claimable_secs !== null)
    .sort((one, other) => other.oldest_claimable_secs - one.oldest_claimable_secs).slice(0, WAITING_SHOWN);
  return panel({ title: "Oldest claimable job, by queue", id: "waiting" },
    oldest.length === 0 ? empty("Nothing waits for a worker") : bars({
      title: "Age of the oldest claimable job of each queue",
      show: duration,
      entries: oldest.map(({ name, oldest_claimable_secs: age, paused: held }) => (
        { label: name, value: age, tone: held ? 4 : 1, href: href(["queues", name]) })),
    }));
}

function failing({ failures }, ctx) {
  const aside = h("a", { href: href("deadletters") }, "Dead letters");
  return panel({ title: "Failures, last 24 hours", id: "failures", aside }, failureList(failures, ctx.now()));
}

function paused({ paused: queues }, ctx) {
  if (queues.length === 0) return null;
  return panel({ title: `Paused: ${count(queues.length, "queue")}`, id: "paused" },
    h("ul", { class: "stack" }, queues.map(({ queue, by, reason, since }) => h("li", { key: queue, class: "notice warn" },
      h("span", {}, h("a", { href: href(["queues", queue]) }, queue), " by ", h("code", { title: by }, shortId(by ?? "unknown")),
        reason && [": ", reason]),
      h("span", { class: "dim", title: dateTime(since) }, ago(since, ctx.now()))))));
}

function throughput({ throughput: flow, jobs }) {
  const line = (name, label) => h("tr", { key: name }, h("th", { scope: "row" }, label),
    ["in_per_sec", "out_per_sec", "failed_per_sec"].map((figure) => h("td", { class: "number" }, rate(flow[name][figure]))),
    h("td", { class: "number" }, percent(errorRate(flow[name]))));
  const head = ["Last", "In /s", "Out /s", "Failed /s", "Errors"];
  return panel({ title: "Throughput", id: "throughput" },
    h("table", {}, h("caption", { class: "hidden" }, "Jobs a second"),
      h("thead", {}, h("tr", {}, head.map((text, index) => h("th", { scope: "col", class: index ? "number" : null }, text)))),
      h("tbody", {}, line("minute", "minute"), line("hour", "hour"), line("day", "day"))),
    facts([
      ["Average wait", millis(jobs.avg_wait_time_ms)],
      ["Average run", millis(jobs.avg_processing_time_ms)],
    ]));
}

/** The share of attempts that failed. */
function errorRate({ out_per_sec: out, failed_per_sec: failed }) {
  return out + failed > 0 ? failed / (out + failed) : null;
}

function states({ jobs }) {
  const entries = STATES.filter(([name]) => name in jobs).map(([name, tone]) => (
    { label: LABELS[name] ?? name, value: jobs[name], tone }));
  return panel({ title: "Jobs by state", id: "states", aside: `${number(jobs.total)} kept` },
    bars({ title: "Jobs by state", entries, show: compact }));
}

function glance({ glance: queues }) {
  const aside = h("a", { href: href("queues") }, queues.length > GLANCE_SHOWN ? `All ${queues.length}` : "All queues");
  return panel({ title: "Queues at a glance", id: "glance", aside },
    glanceTable(queues.slice(0, GLANCE_SHOWN), { caption: "Queues at a glance, worst first" }));
}

function log({ log: it }) {
  const behind = it.position - it.durable_position;
  return panel({ title: "Log", id: "log" }, facts([
    ["Position", number(it.position)],
    ["Durable", behind > 0 ? `${number(it.durable_position)} (${number(behind)} to go)` : number(it.durable_position)],
    ["Sync mode", h("code", {}, it.sync)],
    ["Segments", number(it.segments)],
    ["Size", bytes(it.bytes)],
  ]));
}

function system({ system: it, workers }) {
  return panel({ title: "Server and workers", id: "system" }, facts([
    ["Version", it.version],
    ["Up for", duration(it.uptime_seconds)],
    ["Started", dateTime(it.started_at)],
    ["Workers", `${number(workers.healthy)} healthy of ${number(workers.total)}`],
    workers.unhealthy > 0 && ["Silent workers", h("span", { class: "bad" }, number(workers.unhealthy))],
  ]));
}
