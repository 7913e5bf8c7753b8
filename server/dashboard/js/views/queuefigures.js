/** The figures of one queue: what there is now, how it went, and how long jobs took. */

import { lines } from "../components/chart.js";
import { figure, figures, panel } from "../components/panel.js";
import { empty, problem } from "../components/states.js";
import { h } from "../dom.js";
import { ago, clock, count, hourMinute, duration, millis, number, rate } from "../format.js";

const SPANS = [["900", "15 min"], ["3600", "1 h"], ["86400", "24 h"]];
const SPAN_SECS = "3600";
const MINUTE_SECS = 60;

/** All of them. */
export function queueFigures({ stats, glance, series, timings }, ctx) {
  return [
    panel({ title: "Now", id: "now" }, now(stats, glance, ctx)),
    panel({ title: "Over time", id: "series", aside: spans(ctx) }, series.error ? problem(series.error) : charts(series.value)),
    panel({ title: "How long it takes", id: "timings" }, timings.error ? problem(timings.error) : durations(timings.value)),
  ];
}

function now(stats, glance, ctx) {
  const oldest = glance?.oldest_claimable_secs;
  return figures(
    figure({ label: "Pending", value: number(stats.pending_jobs) }),
    figure({ label: "Scheduled", value: number(stats.scheduled_jobs) }),
    figure({ label: "Running", value: number(stats.processing_jobs), note: count(stats.active_workers, "active worker") }),
    glance && figure({ label: "Oldest claimable", value: duration(oldest), tone: oldest >= MINUTE_SECS ? "warn" : null }),
    glance && figure({ label: "Dead letters", value: number(glance.deadletter), tone: glance.deadletter > 0 ? "bad" : null }),
    figure({ label: "In", value: rate(stats.enqueued_per_minute), note: "a minute" }),
    figure({ label: "Out", value: rate(stats.throughput_per_minute), note: "a minute" }),
    figure({ label: "Ended in 24 h", value: number(stats.completed_jobs_24h), note: `${number(stats.failed_jobs_24h)} failed` }),
    lastClaim(stats.last_claimed_at, ctx));
}

function lastClaim(at, ctx) {
  if (at === null) return figure({ label: "Last claim", value: "never" });
  return figure({ label: "Last claim", value: clock(at), note: ago(at, ctx.now()) });
}

function spans(ctx) {
  const chosen = ctx.query.since ?? SPAN_SECS;
  return h("div", { class: "row", role: "group", "aria-label": "Span of time" }, SPANS.map(([secs, label]) => h("button", {
    key: secs, type: "button", class: "small", "aria-pressed": String(secs === chosen),
    on: { click: () => ctx.go({ since: secs === SPAN_SECS ? null : secs }) },
  }, label)));
}

function charts({ points, step_secs: step }) {
  if (points.length < 2) return empty("Nothing to draw yet", "The lines begin when there are two points.");
  const times = points.map(({ at }) => at);
  const perMinute = (name) => points.map((point) => (point[name] * MINUTE_SECS) / step);
  const showTime = step >= MINUTE_SECS ? hourMinute : clock;
  return h("div", { class: "columns" },
    lines({
      title: "Jobs there", times, show: number, showTime,
      series: [
        { name: "pending", tone: 1, values: points.map(({ pending }) => pending) },
        { name: "running", tone: 5, values: points.map(({ processing }) => processing) },
      ],
    }),
    lines({
      title: "Jobs a minute", times, show: rate, showTime,
      series: [
        { name: "in", tone: 1, values: perMinute("in") },
        { name: "out", tone: 2, values: perMinute("out") },
        { name: "failed", tone: 3, values: perMinute("failed") },
      ],
    }));
}

function durations({ window_secs: window, wait_ms: wait, run_ms: run }) {
  const line = (label, { p50, p90, p99, count }) => h("tr", {}, h("th", { scope: "row" }, label),
    [p50, p90, p99].map((value) => h("td", { class: "number" }, millis(value))), h("td", { class: "number" }, number(count)));
  const head = ["Last " + duration(window), "Half", "90 %", "99 %", "Jobs"];
  return h("table", {}, h("caption", { class: "hidden" }, "Times that half, 90 and 99 per cent of jobs did not exceed"),
    h("thead", {}, h("tr", {}, head.map((text, index) => h("th", { scope: "col", class: index ? "number" : null }, text)))),
    h("tbody", {}, line("Wait for a worker", wait), line("Run", run)));
}
