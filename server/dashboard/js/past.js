/**
 * Asking the API what was: with `at`, a position or a time.
 *
 * What was at a position never changes, so its answers are kept. When the server is still folding
 * the log to a moment, that is no failure: ask again after a while.
 */

const KEPT_MAX = 300;
const FOLDING = ["PAST_BUSY", "PAST_NOT_YET"];
const OF_THE_MOMENT = ["CONFLICT", "LOG_EXPIRED", "VALIDATION_ERROR", "PAST_UNAVAILABLE"];
const AT_ONCE_MAX = 4;

/** Whether the server asks to come again, since it is on its way to that moment. */
export function isFolding(error) {
  return FOLDING.includes(error?.code);
}

/** Whether that moment cannot be shown, so that another one has to be chosen. */
export function isOutOfReach(error) {
  return OF_THE_MOMENT.includes(error?.code);
}

/** Give what asks, for one visit of a screen. */
export function createPast(api) {
  const kept = new Map();
  const ask = async (path, query, signal) => {
    const response = await api.raw(path, query, { signal });
    return {
      value: await response.json(),
      position: Number(response.headers.get("X-Log-Position")),
      time: response.headers.get("X-Log-Time"),
      hasMore: response.headers.get("X-Has-More") === "true",
    };
  };
  const keep = (name, answer) => {
    kept.set(name, answer);
    if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value);
    return answer;
  };
  return {
    /** Give `{value, position, time, hasMore}` of a path at a moment. */
    at: async (moment, path, query, signal) => {
      const name = JSON.stringify([moment, path, query]);
      return kept.get(name) ?? keep(name, await ask(path, { ...query, at: moment }, signal));
    },
    /** Give the record at a position, or null when this key may not see it. */
    record: async (position, signal) => {
      if (position < 1) return null;
      const name = `record ${position}`;
      if (kept.has(name)) return kept.get(name);
      const [record] = await recordsOf(await api.raw("log/records", { after: position - 1, limit: 1 }, { signal }));
      return keep(name, record?.position === position ? record : null);
    },
  };
}

/** Read a page of the feed: a JSON object a line. */
export async function recordsOf(response) {
  const text = await response.text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** Do this for each, a few at once; gives what came of them, in order. */
export async function forEach(items, work) {
  const results = new Array(items.length);
  let next = 0;
  const go = async () => {
    while (next < items.length) {
      const index = next;
      next += 1;
      results[index] = await work(items[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE_MAX, items.length) }, go));
  return results;
}
