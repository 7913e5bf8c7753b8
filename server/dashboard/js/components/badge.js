/** The status of something, in a word; the colour only says it again. */

import { h } from "../dom.js";

const TONES = {
  pending: "info", scheduled: "plain", processing: "busy", completed: "good", failed: "bad",
  deadletter: "bad", cancelled: "plain", paused: "warn", running: "good", healthy: "good",
  degraded: "warn", unhealthy: "bad", offline: "bad", draining: "warn", gone: "plain",
};
const WORDS = { deadletter: "dead letter" };

/** A badge of a job's, queue's, worker's or the server's status. */
export function badge(status, label = WORDS[status] ?? status) {
  return h("span", { class: `badge ${TONES[status] ?? "plain"}` }, label);
}
