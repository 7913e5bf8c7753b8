/** How a job spent its time: for each attempt how long it waited and how long it ran, on one scale. */

import { attemptsOf } from "../attempts.js";
import { h, s } from "../dom.js";
import { duration } from "../format.js";
import { badge } from "./badge.js";
import { empty } from "./states.js";

const WIDTH = 1_000;
const SLIVER = 3;
const STATES = {
  completed: "completed", failed: "failed", lease_expired: "failed", released: "cancelled", cancelled: "cancelled", expired: "cancelled",
};
const WORDS = { lease_expired: "lease ran out", released: "taken back" };

/** A table of attempts; `now` is the time (milliseconds) of one that goes on, null when none does. */
export function attemptBars(events, now) {
  const attempts = attemptsOf(events);
  if (attempts.length === 0) return empty("None, as far as the log still tells");
  const begin = attempts[0].from;
  const last = attempts.at(-1);
  const end = Math.max(begin + 1, now ?? last.until ?? last.claimed ?? begin + 1, ...attempts.map(({ until }) => until ?? 0));
  const line = (attempt, index) => {
    const until = attempt.until ?? end;
    const claimed = attempt.claimed ?? until;
    return h("tr", { key: index },
      h("th", { scope: "row" }, String(index + 1)),
      h("td", {}, attempt.ending ? badge(STATES[attempt.ending], WORDS[attempt.ending]) : badge(attempt.claimed === null ? "pending" : "processing")),
      h("td", { class: "number" }, duration((claimed - attempt.from) / 1_000)),
      h("td", { class: "number" }, attempt.claimed === null ? "–" : duration((until - claimed) / 1_000)),
      h("td", { class: "bar-cell", "aria-hidden": "true" }, drawing([["tone-6", attempt.from, claimed], attempt.claimed !== null && [tone(attempt), claimed, until]], begin, end)));
  };
  return h("table", { class: "bars attempts" },
    h("caption", { class: "hidden" }, "How long each attempt waited for a worker, and ran"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "No."), h("th", { scope: "col" }, "State"),
      h("th", { scope: "col", class: "number" }, "Waited"), h("th", { scope: "col", class: "number" }, "Ran"), h("th", { scope: "col", "aria-hidden": "true" }, duration((end - begin) / 1_000)))),
    h("tbody", {}, attempts.map(line)));
}

function tone({ ending }) {
  return { completed: "tone-2", failed: "tone-3", lease_expired: "tone-3" }[ending] ?? "tone-5";
}

function drawing(parts, begin, end) {
  const scale = WIDTH / (end - begin);
  return s("svg", { viewBox: `0 0 ${WIDTH} 8`, preserveAspectRatio: "none", class: "bar" },
    parts.filter(Boolean).map(([className, from, until]) => s("rect", {
      class: className, x: Math.min((from - begin) * scale, WIDTH - SLIVER), width: Math.max(SLIVER, (until - from) * scale), height: 8,
    })));
}
