/** The end of the log, line by line, the newest first. */

import { h } from "../dom.js";
import { count, exactTime, number } from "../format.js";
import { href } from "../router.js";
import { ROWS_MAX } from "../tail.js";
import { takeBackButton } from "../undo.js";
import { panel } from "./panel.js";
import { actor, eventType, recordView, subjects } from "./record.js";
import { empty } from "./states.js";

/** The panel: filters, the switch that pauses, and the lines. */
export function logTail(tail, ctx) {
  const { paused } = ctx.ui;
  return panel({ title: "Records", id: "tail", aside: control(tail, ctx) },
    h("p", { class: "dim", id: "tail-state", role: "status" }, stateOf(tail, paused)),
    tail.rows.length === 0
      ? empty("No record yet", "What matches appears here as it happens.")
      : h("ol", { class: "tail", "aria-label": "Records, newest first" }, tail.rows.map((row) => (row.gap ? gap(row) : line(row, ctx)))),
    tail.rows.length >= ROWS_MAX && h("p", { class: "dim" }, `The last ${number(ROWS_MAX)}; older lines leave.`));
}

function stateOf({ waiting, skipped }, paused) {
  const left = skipped > 0 ? ` ${count(skipped, "record")} skipped, since they came too fast to read.` : "";
  if (paused) return `Paused, ${count(waiting, "record")} behind the end.${left}`;
  return `Following the log.${left}`;
}

function control(_tail, ctx) {
  const { paused } = ctx.ui;
  const turn = () => {
    ctx.set({ paused: !paused });
    ctx.reload();
  };
  return h("button", { type: "button", id: "tail-pause", class: paused ? "primary" : null, "aria-pressed": String(Boolean(paused)), on: { click: turn } }, paused ? "Resume" : "Pause");
}

function gap({ gap: skipped, position }) {
  return h("li", { key: `gap-${position}`, class: "gap dim" }, `${number(skipped)} skipped`);
}

/** A record does not change, so a line is made once, and again when it is unfolded or folded. */
function line(record, ctx) {
  const isOpen = Boolean(ctx.ui.open?.has(record.position));
  return h("li", { key: record.position, own: `${record.position} ${isOpen}`, fill: () => inside(record, isOpen, ctx) });
}

function inside(record, isOpen, ctx) {
  const { position, at, events } = record;
  const main = headline(events);
  const more = events.length - 1;
  return [
    h("div", { class: "tail-line" },
      h("button", { type: "button", class: "link position", "aria-expanded": String(isOpen), "aria-label": `Record ${position}`, on: { click: () => unfold(position, !isOpen, ctx) } }, number(position)),
      h("time", { datetime: at }, exactTime(at).slice(11)),
      eventType(main.type),
      h("span", { class: "about" }, subjects(main), more > 0 && h("span", { class: "dim" }, ` +${more}`)),
      h("span", { class: "who" }, actor(record))),
    isOpen && h("div", { class: "unfolded" },
      h("div", { class: "row" }, h("a", { class: "button", href: href("time", { at: position, job: main.job }) }, "As it was then"), takeBackButton(record, ctx)),
      recordView(record)),
  ];
}

/** The first event, but for a queue that came to be by another one. */
function headline(events) {
  return events.find(({ type }) => type !== "queue.created") ?? events[0];
}

function unfold(position, isOpen, ctx) {
  const open = new Set(ctx.ui.open);
  if (isOpen) open.add(position);
  else open.delete(position);
  ctx.set({ open });
}
