/**
 * Charts in SVG: lines over time, and bars. Each has the same figures as a table behind it.
 *
 * Lines stretch with their box; words and numbers stand outside the drawing, so they do not.
 */

import { h, s } from "../dom.js";

const WIDTH = 600;
const HEIGHT = 120;

/** Lines over time: `series` [{name, values, tone}] over `times`; `show` writes a value. */
export function lines({ title, times, series, show, showTime, last = null }) {
  const max = niceMax(series);
  const legend = series.map(({ name, values, tone }) => h("li", { key: name, class: `tone-${tone}` },
    name, " ", h("output", { class: "chart-now" }, show(values.at(-1)))));
  const drawing = s("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true", class: "chart-lines",
  },
  [0.25, 0.5, 0.75].map((at) => s("line", { class: "grid", x1: 0, x2: WIDTH, y1: at * HEIGHT, y2: at * HEIGHT })),
  series.map(({ name, values, tone }) => s("polyline", { key: name, class: `tone-${tone}`, points: pointsOf(values, max) })),
  s("line", { class: "cursor off", x1: 0, x2: 0, y1: 0, y2: HEIGHT }));
  const point = (event) => follow(event.currentTarget, { at: shareOf(event), times, series, show, showTime, last });
  const leave = (event) => follow(event.currentTarget, { at: null, times, series, show, showTime, last });
  return h("figure", { class: "chart", on: { pointermove: point, pointerleave: leave } },
    h("figcaption", {}, h("span", {}, title), h("ul", { class: "legend" }, legend)),
    h("div", { class: "plot" }, h("span", { class: "axis-max" }, show(max)), drawing),
    h("div", { class: "axis-x" }, h("span", {}, showTime(times[0])), h("span", { class: "chart-at" }, ""), h("span", {}, last ?? showTime(times.at(-1)))),
    behind(title, ["Time", ...series.map(({ name }) => name)],
      times.map((time, index) => [showTime(time), ...series.map(({ values }) => show(values[index]))])));
}

/** A line without axes beside a figure. */
export function spark(values, label) {
  const max = Math.max(1e-9, ...values);
  return s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label, class: "spark" },
    s("polyline", { class: "tone-1", points: pointsOf(values, max) }));
}

/** Bars: entries [{label, value, tone, href?}] by their share of the largest. */
export function bars({ title, entries, show }) {
  const max = Math.max(1, ...entries.map(({ value }) => value));
  const row = ({ label, value, tone, href }) => h("tr", { key: label },
    h("th", { scope: "row" }, href ? h("a", { href }, label) : label),
    h("td", { class: "number" }, show(value)),
    h("td", { class: "bar-cell", "aria-hidden": "true" },
      s("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", class: `bar tone-${tone}` },
        s("rect", { width: value > 0 ? Math.max(1, (value / max) * 100) : 0, height: 8 }))));
  return h("table", { class: "bars" }, h("caption", { class: "hidden" }, title), h("tbody", {}, entries.map(row)));
}

function pointsOf(values, max) {
  const step = values.length > 1 ? WIDTH / (values.length - 1) : 0;
  const points = values.map((value, index) => (
    value === null ? null : `${round(index * step)},${round(HEIGHT - 1 - (value / max) * (HEIGHT - 4))}`));
  return points.filter(Boolean).join(" ");
}

/** The least of 1, 2, 5, 10, … that nothing exceeds. */
function niceMax(series) {
  const max = Math.max(0, ...series.flatMap(({ values }) => values));
  if (max <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(max));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= max);
}

function shareOf(event) {
  const box = event.currentTarget.querySelector(".chart-lines").getBoundingClientRect();
  return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
}

/** Show the values where the pointer is; the latest when it is nowhere. */
function follow(figure, { at, times, series, show, showTime }) {
  const index = at === null ? times.length - 1 : Math.round(at * (times.length - 1));
  const x = round((index / Math.max(1, times.length - 1)) * WIDTH);
  const cursor = figure.querySelector(".cursor");
  cursor.classList.toggle("off", at === null);
  cursor.setAttribute("x1", x);
  cursor.setAttribute("x2", x);
  figure.querySelector(".chart-at").textContent = at === null ? "" : showTime(times[index]);
  figure.querySelectorAll(".chart-now").forEach((output, one) => {
    output.textContent = show(series[one].values[index]);
  });
}

function behind(title, head, rows) {
  return h("details", { class: "behind" }, h("summary", {}, "As a table"),
    h("div", { class: "scroll short", tabindex: "0", role: "region", "aria-label": `${title}, as a table` },
      h("table", {}, h("caption", { class: "hidden" }, title),
        h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, rows.map((row) => h("tr", {}, row.map((text) => h("td", {}, text))))))));
}

function round(value) {
  return Math.round(value * 10) / 10;
}
