/** One record of the log: when, by whom, and its events. Long ones are shown from their beginning. */

import { h } from "../dom.js";
import { count, exactTime, shortId } from "../format.js";
import { href } from "../router.js";
import { jsonView } from "./json.js";

const EVENTS_MAX = 20;
const TONES = [
  [/^job\.(failed|expired|lease_expired|settlement_refused)|^worker\.lost/, "bad"],
  [/^job\.(completed|unblocked)|^queue\.(resumed|restored)|^job\.(restored|reverted)/, "good"],
  [/^job\.(claimed|lease_extended|released|due)/, "busy"],
  [/^job\.(cancel|deleted|retired)|^queue\.(paused|deleted)|^bulk\.|^undo\.|^key\.revoked/, "warn"],
  [/^job\./, "info"],
];

/** The type of an event, in its colour. */
export function eventType(type) {
  const tone = TONES.find(([pattern]) => pattern.test(type))?.[1] ?? "plain";
  return h("span", { class: `badge ${tone}` }, type);
}

/** What an event is about, as links. */
export function subjects({ job, queue, worker }) {
  return [
    job && h("a", { class: "subject", href: href(["jobs", job]), title: job }, h("code", {}, shortId(job))),
    queue && h("a", { class: "subject", href: href(["queues", queue]) }, queue),
    worker && h("span", { class: "subject dim", title: worker }, shortId(worker)),
  ];
}

/** Who did it: an API key's id, or the system. */
export function actor({ by, req }) {
  return [
    h("code", { title: by }, by ? shortId(by) : "unknown"),
    req && [" ", h("code", { class: "dim", title: `Request ${req}` }, shortId(req))],
  ];
}

/** The whole record. */
export function recordView(record) {
  const more = record.events.length - EVENTS_MAX;
  return h("div", { class: "record" },
    h("p", {}, h("time", { datetime: record.at }, exactTime(record.at)), " by ", actor(record)),
    h("ul", { class: "stack" }, record.events.slice(0, EVENTS_MAX).map((event) => h("li", { key: `${record.position}-${event.index}` }, eventView(event)))),
    more > 0 && h("p", { class: "dim" }, `… and ${count(more, "more event")}`));
}

function eventView({ index: _place, type, ...fields }) {
  return [h("div", { class: "row" }, eventType(type), subjects(fields)), jsonView(fields, `Fields of ${type}`)];
}
