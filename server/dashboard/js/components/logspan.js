/** The whole log on a line: how much was written when, and the moment that is looked at. */

import { h, s } from "../dom.js";
import { dateTime, hourMinute, number, rate } from "../format.js";
import { density, timeOf } from "../moments.js";

const WIDTH = 1_000;
const HEIGHT = 40;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** The strip, the slider under it, and times. `position` is the one shown, `onMove(position)` hears of moves. */
export function logSpan({ span, marks, position, timeMs, onMove, onRest }) {
  const { first, last } = span;
  const shown = Math.min(Math.max(position, first), last);
  const value = (event) => Number(event.currentTarget.value);
  return h("div", { class: "timeline" },
    strip(span, marks, shown),
    h("input", {
      type: "range", id: "moment", min: first, max: Math.max(first, last), step: 1, value: shown,
      "aria-label": "Position in the log",
      "aria-valuetext": `Position ${number(shown)} of ${number(last)}, ${dateTime(timeMs)}`,
      on: { input: (event) => onMove(value(event)), change: (event) => onRest(value(event)) },
    }),
    h("div", { class: "axis-x", "aria-hidden": "true" }, TICKS.map((share) => tick(share, span, marks))));
}

function tick(share, { first, last }, marks) {
  const at = timeOf(marks, Math.round(first + share * (last - first)));
  const edge = share === 0 || share === 1;
  return h("span", { key: share, class: edge ? null : "minor" }, edge ? dateTime(at) : hourMinute(at));
}

/** Records a second along the log, on a scale of powers. */
function strip({ first, last }, marks, shown) {
  const parts = density(marks);
  if (parts.length === 0 || last <= first) return h("p", { class: "dim" }, "Too little has happened to draw it.");
  const x = (position) => Math.round(((position - first) / (last - first)) * WIDTH * 10) / 10;
  const busiest = parts.reduce((most, one) => (one.perSec > most.perSec ? one : most));
  const y = (perSec) => Math.round(HEIGHT - Math.max(1, (Math.log1p(perSec) / Math.log1p(busiest.perSec)) * (HEIGHT - 2)));
  const outline = parts.map(({ from, to, perSec }) => `L${x(from)},${y(perSec)}L${x(to)},${y(perSec)}`).join("");
  const words = `Records a second along the log: at most ${rate(busiest.perSec)}, about ${dateTime(busiest.at)}`;
  return h("figure", { class: "density" },
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": words },
      s("path", { d: `M0,${HEIGHT}${outline}L${WIDTH},${HEIGHT}Z` }),
      s("line", { class: "here", x1: x(shown), x2: x(shown), y1: 0, y2: HEIGHT })),
    h("figcaption", { class: "dim" }, words));
}
