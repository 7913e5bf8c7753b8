/** The queues and jobs as they were at a moment, and what to compare them with: now, or one record before. */

import { forEach, isOutOfReach } from "./past.js";

/** Queues whose figures are asked for, since each costs a request. */
export const FIGURES_MAX = 10;
const JOBS_LIMIT = 25;

/** Load all of it. `query` has `queue`, `status`, `job` and `vs`. */
export async function loadWorld({ api, past, at, query, signal }) {
  const { value: counts, position, time } = await past.at(at, "jobs/stats", {}, signal);
  const vs = query.vs === "now" ? "now" : "before";
  const then = { ask: (path, wanted) => past.at(at, path, wanted, signal), signal };
  const other = vs === "now" ? nowOf(api, signal) : beforeOf(past, position, signal);
  const [record, queues, jobs, job, otherCounts] = await Promise.all([
    past.record(position, signal),
    loadQueues(then, other, query),
    then.ask("jobs", { queue_name: query.queue, status: query.status, limit: JOBS_LIMIT }),
    query.job ? loadJob(then, other, query.job) : null,
    other.counts(),
  ]);
  const changes = vs === "now" ? await statusesNow(api, jobs.value, signal) : changesBy(record);
  return { at, position, time, vs, counts, otherCounts, record, ...queues, jobs, job, changes };
}

async function loadQueues(then, other, { queue }) {
  const { value: all } = await then.ask("queues", {});
  const wanted = queue ? all.filter(({ queue_name: name }) => name === queue) : all.slice(0, FIGURES_MAX);
  const queues = await forEach(wanted, async ({ queue_name: name, enabled }) => {
    const { value: figures } = await then.ask(`queues/${encodeURIComponent(name)}/stats`, {});
    return { name, enabled, figures, other: await other.queue(name) };
  });
  return { queueNames: all.map(({ queue_name: name }) => name), queues };
}

async function loadJob(then, other, id) {
  const at = `jobs/${encodeURIComponent(id)}`;
  const [found, explained, compared] = await Promise.all([
    missing(then.ask(at, {})), missing(then.ask(`${at}/explain`, {})), other.job(at),
  ]);
  return { id, then: found?.value ?? null, explained: explained?.value ?? null, other: compared };
}

/** What there is now. The figures of all queues are one request. */
function nowOf(api, signal) {
  const dashboard = api.get("dashboard", null, { signal });
  dashboard.catch(() => {}); // whoever waits for it hears of it
  return {
    counts: () => api.get("jobs/stats", null, { signal }),
    queue: async (name) => {
      const found = (await dashboard).glance.find((one) => one.name === name);
      return found ? { pending: found.pending, scheduled: found.scheduled, running: found.processing, paused: found.paused } : null;
    },
    job: (path) => missing(api.get(path, null, { signal })),
  };
}

/** What there was before the record at a position; null where that is out of reach. */
function beforeOf(past, position, signal) {
  const ask = async (path) => {
    if (position < 1) return null;
    try {
      return (await past.at(String(position - 1), path, {}, signal)).value;
    } catch (error) {
      if (isOutOfReach(error) || error.status === 404) return null;
      throw error;
    }
  };
  return {
    counts: () => ask("jobs/stats"),
    queue: async (name) => {
      const at = `queues/${encodeURIComponent(name)}`;
      const [queue, figures] = await Promise.all([ask(at), ask(`${at}/stats`)]);
      return queue && figures && {
        pending: figures.pending_jobs, scheduled: figures.scheduled_jobs,
        running: figures.processing_jobs, paused: !queue.enabled,
      };
    },
    job: ask,
  };
}

/** What became of each job: its status now, or "gone". */
async function statusesNow(api, jobs, signal) {
  if (jobs.length === 0) return {};
  const found = await api.get("jobs/status", { ids: jobs.map(({ id }) => id).join(",") }, { signal });
  const now = Object.fromEntries(found.map(({ id, status }) => [id, status]));
  const changed = jobs.filter(({ id, status }) => now[id] !== status);
  return Object.fromEntries(changed.map(({ id }) => [id, now[id] ?? "gone"]));
}

/** What a record did to each job: the types of its events. */
function changesBy(record) {
  const found = {};
  for (const { job, type } of record?.events ?? []) {
    if (job) found[job] = found[job] ? `${found[job]}, ${type}` : type;
  }
  return found;
}

async function missing(asked) {
  try {
    return await asked;
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}
