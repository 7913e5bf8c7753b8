/** The three questions of the overview, and how its figures answer them. */

import { verdict } from "../components/verdict.js";
import { h } from "../dom.js";
import { count, duration, number, rate } from "../format.js";
import { href } from "../router.js";

const LATE_SECS = 60;
const VERY_LATE_SECS = 600;
/** Below this share of what comes in, what goes out falls behind. */
const KEEPING_UP = 0.9;

/** Give all three. */
export function verdicts(data) {
  return h("div", { key: "verdicts", class: "verdicts" }, working(data), keepingUp(data), wrong(data));
}

function working({ system, workers, log, jobs }) {
  const because = [`Up for ${duration(system.uptime_seconds)}, log at ${number(log.position)}, sync ${log.sync}`];
  const state = { id: "working", question: "Is it working?", answer: "Working", tone: "good" };
  if (system.database_status !== "healthy") {
    Object.assign(state, { answer: "The log has failed", tone: "bad" });
  } else if (workers.unhealthy > 0) {
    Object.assign(state, { answer: "Working, workers silent", tone: "warn" });
    because.push(`${count(workers.unhealthy, "worker")} of ${number(workers.total)} without a heartbeat`);
  } else {
    because.push(`${count(workers.healthy, "worker")} registered, ${count(jobs.processing, "job")} running`);
  }
  return verdict(state, ...because);
}

function keepingUp({ throughput: { minute, hour }, oldest_claimable: oldest, jobs }) {
  const behind = minute.out_per_sec < minute.in_per_sec * KEEPING_UP && hour.out_per_sec < hour.in_per_sec * KEEPING_UP;
  const age = oldest?.age_secs ?? 0;
  const state = { id: "keeping-up", question: "Is it keeping up?", answer: "Keeping up", tone: "good" };
  if (age >= VERY_LATE_SECS) Object.assign(state, { answer: `Behind by ${duration(age)}`, tone: "bad" });
  else if (age >= LATE_SECS) Object.assign(state, { answer: `Behind by ${duration(age)}`, tone: "warn" });
  else if (behind && jobs.pending > 0) Object.assign(state, { answer: "More comes in than goes out", tone: "warn" });
  const waits = oldest && ["Oldest claimable job: ", h("a", { href: href(["jobs", oldest.job_id]) }, duration(age)),
    " in ", h("a", { href: href(["queues", oldest.queue]) }, oldest.queue)];
  return verdict(state,
    `${rate(minute.in_per_sec)}/s in, ${rate(minute.out_per_sec)}/s out, ${count(jobs.pending, "job")} waiting`,
    waits || "Nothing claimable waits");
}

function wrong({ failures, paused, jobs }) {
  const failed = failures.reduce((sum, group) => sum + group.count, 0);
  const state = { id: "wrong", question: "What is wrong?", answer: "Nothing found", tone: "good" };
  if (failed > 0) {
    Object.assign(state, { answer: `${count(failed, "failed attempt")}`, tone: jobs.deadletter > 0 ? "bad" : "warn" });
  } else if (paused.length > 0) {
    Object.assign(state, { answer: `${count(paused.length, "queue")} paused`, tone: "warn" });
  } else if (jobs.deadletter > 0) {
    Object.assign(state, { answer: count(jobs.deadletter, "dead letter"), tone: "warn" });
  }
  return verdict(state,
    `${count(failures.length, "kind")} of error in 24 hours, ${count(paused.length, "paused queue")}`,
    [h("a", { href: href("deadletters") }, count(jobs.deadletter, "dead letter")), " kept"]);
}
