/** Choosing a moment of the past: on a line, by steps, by time, by playing on. */

import { h } from "../dom.js";
import { ago, exactTime, number } from "../format.js";
import { momentOf, timeOf } from "../moments.js";
import { SPEEDS, speedOf } from "../player.js";
import { panel } from "./panel.js";
import { logSpan } from "./logspan.js";

const REST_MS = 150;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** The panel with all of it. */
export function momentPanel({ span, marks, world }, ctx) {
  const { position, timeMs } = chosen(span, marks, world, ctx);
  const here = { span, position, timeMs };
  return panel({ title: "Moment", id: "time-moment", aside: compare(ctx) },
    h("div", { class: "row moment" },
      h("strong", { class: "big-count", id: "position" }, number(position)),
      timeMs === null ? "before the first record" : h("span", {}, h("span", { id: "position-time" }, exactTime(timeMs)), h("span", { class: "dim" }, `, ${ago(timeMs, ctx.now())}`))),
    logSpan({ ...here, marks, onMove: (to) => moved(to, ctx), onRest: (to) => rested(to, ctx) }),
    h("div", { class: "row controls" }, steps(here, ctx), playing(here, ctx), typed(ctx)));
}

/** What is asked for, which may not be shown yet, so that steps add up. */
function chosen(span, marks, world, { query: { at }, ui: { drag } }) {
  const asked = drag ?? (/^\d+$/.test(at ?? "") ? Number(at) : null);
  const position = asked ?? world?.position ?? span.last;
  if (at && asked === null) return { position, timeMs: Date.parse(at) };
  if (world?.position !== position) return { position, timeMs: timeOf(marks, position) };
  return { position, timeMs: world.time ? Date.parse(world.time) : null };
}

function moved(to, ctx) {
  ctx.ui.player.stop();
  ctx.set({ drag: to });
  clearTimeout(ctx.ui.resting);
  ctx.ui.resting = setTimeout(() => ctx.go({ at: to }, { replace: true }), REST_MS);
}

function rested(to, ctx) {
  clearTimeout(ctx.ui.resting);
  if (ctx.query.at !== String(to)) ctx.go({ at: to }, { replace: true });
}

/** Go to a moment, a position as text or a time; null is the newest. */
export function jump(at, ctx) {
  ctx.ui.player.stop();
  ctx.ui.drag = null;
  clearTimeout(ctx.ui.resting);
  if (at === null) ctx.ui.span = null; // the newest may be newer than what was there
  if ((ctx.query.at ?? null) === at) ctx.reload();
  else ctx.go({ at });
}

function steps({ span, position, timeMs }, ctx) {
  const to = (id, label, shown, at, disabled) => h("button", {
    key: id, id, type: "button", "aria-label": label, title: label, disabled, on: { click: () => jump(at, ctx) },
  }, shown);
  const by = (ms) => (timeMs === null ? null : new Date(timeMs + ms).toISOString());
  const atEnd = position >= span.last;
  const later = (ms) => (timeMs + ms >= Date.parse(span.last_at) ? null : by(ms));
  const earlier = (ms) => (timeMs - ms < Date.parse(span.first_at ?? span.last_at) ? String(span.first) : by(-ms));
  const atStart = position <= span.first;
  return h("div", { class: "row", role: "group", "aria-label": "Go to another moment" },
    to("to-first", "To the first record", "First", String(span.first), atStart),
    to("hour-back", "An hour back", "−1 h", earlier(HOUR_MS), atStart),
    to("minute-back", "A minute back", "−1 min", earlier(MINUTE_MS), atStart),
    to("step-back", "One record back", "◀ Step", String(position - 1), atStart),
    to("step-on", "One record on", "Step ▶", String(position + 1), atEnd),
    to("minute-on", "A minute on", "+1 min", later(MINUTE_MS), atEnd),
    to("hour-on", "An hour on", "+1 h", later(HOUR_MS), atEnd),
    to("to-last", "To the newest record", "Newest", null, false));
}

function playing({ span, position, timeMs }, ctx) {
  const { player } = ctx.ui;
  const end = { position: span.last, timeMs: Date.parse(span.last_at) };
  const chosen = speedOf(ctx.ui.speed);
  const play = (speed) => player.play(speed, position, timeMs ?? 0, end);
  const turn = () => (player.playing ? player.stop() : play(chosen));
  const change = (event) => {
    const speed = event.currentTarget.value;
    ctx.set({ speed });
    if (player.playing) play(speedOf(speed));
  };
  const running = Boolean(player?.playing);
  return h("div", { class: "row", role: "group", "aria-label": "Play" },
    h("button", { type: "button", id: "play", class: "primary", disabled: !running && position >= span.last, on: { click: turn } }, running ? "Stop" : "Play"),
    h("select", { id: "speed", "aria-label": "Speed", value: chosen.name, on: { change } },
      SPEEDS.map(({ name, label }) => h("option", { key: name, value: name }, label))));
}

function typed(ctx) {
  const submit = (event) => {
    event.preventDefault();
    const input = event.currentTarget.elements.at;
    const at = momentOf(input.value, ctx.now());
    input.setCustomValidity(at === null ? "A position, such as 1200, or a time, such as 14:30 or 2026-05-01 14:30" : "");
    if (at === null) input.reportValidity();
    else jump(at, ctx);
  };
  const input = (event) => event.currentTarget.setCustomValidity("");
  return h("form", { class: "row typed", "aria-label": "Go to", on: { submit } },
    h("input", { id: "at", name: "at", type: "text", required: true, autocomplete: "off", spellcheck: "false", "aria-label": "Position or time", placeholder: "Position or time", on: { input } }),
    h("button", { type: "submit", id: "go-to" }, "Go"));
}

function compare(ctx) {
  const chosen = ctx.query.vs === "now" ? "now" : "before";
  const choice = (name, label) => h("button", {
    key: name, type: "button", class: "small", id: `vs-${name}`, "aria-pressed": String(chosen === name),
    on: { click: () => ctx.go({ vs: name === "now" ? "now" : null }) },
  }, label);
  return h("div", { class: "row", role: "group", "aria-label": "Compare with" },
    h("span", {}, "Compare with"), choice("before", "the record before"), choice("now", "now"));
}
