/**
 * Follows the log by pages, about as fast as one can read.
 *
 * When more comes than that, the tail jumps to the end and tells how much it left out.
 */

import { recordsOf } from "./past.js";

export const ROWS_MAX = 500;
const PAGE = 60;
/** How far back the tail begins: with a filter further, since little of that may match. */
const BACK = 50;
const BACK_FILTERED = 5_000;
const BEHIND_MAX = 400;
const BEHIND_MAX_FILTERED = 50_000;

/** Give a tail with nothing in it, for these filters. */
export function newTail(filter) {
  return { filter, after: null, rows: [], skipped: 0, waiting: 0, stat: null };
}

/** Give the tail after one more look at the log. A paused one only sees how much waits. */
export async function looked(tail, { api, paused, signal }) {
  const stat = await api.get("log/stat", null, { signal });
  const isFiltered = Object.values(tail.filter).some(Boolean);
  if (paused && tail.after !== null) return { ...tail, stat, waiting: Math.max(0, stat.durable - tail.after) };
  const begun = tail.after === null;
  const back = isFiltered ? BACK_FILTERED : BACK;
  const behindMax = begun ? back : isFiltered ? BEHIND_MAX_FILTERED : BEHIND_MAX;
  let after = begun ? Math.max(0, stat.durable - back) : tail.after;
  let skipped = 0;
  if (!begun && stat.durable - after > behindMax) {
    skipped = stat.durable - PAGE - after;
    after = stat.durable - PAGE;
  }
  const page = await pageBehind(api, after, tail.filter, signal);
  const gap = skipped > 0 ? [{ gap: skipped, position: after }] : [];
  return {
    ...tail,
    after: page.nextAfter,
    rows: [...page.records.reverse(), ...gap, ...tail.rows].slice(0, ROWS_MAX),
    skipped: tail.skipped + skipped,
    waiting: Math.max(0, stat.durable - page.nextAfter),
    stat,
  };
}

async function pageBehind(api, after, filter, signal) {
  let response;
  try {
    response = await api.raw("log/records", { ...filter, after, limit: PAGE }, { signal });
  } catch (error) {
    if (error.code !== "LOG_EXPIRED") throw error;
    response = await api.raw("log/records", { ...filter, limit: PAGE }, { signal });
  }
  return { records: await recordsOf(response), nextAfter: Number(response.headers.get("X-Next-After")) };
}
