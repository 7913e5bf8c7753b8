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

/** A job that was not there is no fault, so it is looked for before it is asked for. */
async function loadJob(then, other, id) {
  const ask = async (path, query = {}) => (await then.ask(path, query)).value;
  const [isThere, compared] = await Promise.all([listed(ask, id), other.job(id)]);
  if (!isThere) return { id, then: null, explained: null, other: compared };
  const at = `jobs/${encodeURIComponent(id)}`;
  const [found, explained] = await Promise.all([ask(at), ask(`${at}/explain`)]);
  return { id, then: found, explained, other: compared };
}

async function listed(ask, id) {
  return (await ask("jobs", { q: id, limit: 1 })).some((job) => job.id === id);
}

/** What there is now. The figures of all queues are one request. */
function nowOf(api, signal) {
  const get = (path, query) => api.get(path, query, { signal });
  const dashboard = get("dashboard");
  dashboard.catch(() => {}); // whoever waits for it hears of it
  return {
    counts: () => get("jobs/stats"),
    queue: async (name) => {
      const found = (await dashboard).glance.find((one) => one.name === name);
      return found ? { pending: found.pending, scheduled: found.scheduled, running: found.processing, paused: found.paused } : null;
    },
    job: async (id) => ((await get("jobs/status", { ids: id })).length > 0 ? get(`jobs/${encodeURIComponent(id)}`) : null),
  };
}

/** What there was before the record at a position; null where that is out of reach. */
function beforeOf(past, position, signal) {
  const ask = async (path, query = {}) => (await past.at(String(position - 1), path, query, signal)).value;
  const reachable = async (asked) => {
    if (position < 1) return null;
    try {
      return await asked();
    } catch (error) {
      if (isOutOfReach(error)) return null;
      throw error;
    }
  };
  return {
    counts: () => reachable(() => ask("jobs/stats")),
    queue: (name) => reachable(async () => {
      const queue = (await ask("queues")).find((one) => one.queue_name === name);
      const figures = queue && await ask(`queues/${encodeURIComponent(name)}/stats`);
      return figures ? {
        pending: figures.pending_jobs, scheduled: figures.scheduled_jobs,
        running: figures.processing_jobs, paused: !queue.enabled,
      } : null;
    }),
    job: (id) => reachable(async () => ((await listed(ask, id)) ? ask(`jobs/${encodeURIComponent(id)}`) : null)),
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
