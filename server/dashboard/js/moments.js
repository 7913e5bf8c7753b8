/** Positions of the log and the times they belong to, by the marks of GET /log/span. Pure. */

/** Give the marks from the first record to the last, as `{position, at}` in milliseconds. */
export function landmarks({ first, last, first_at: firstAt, last_at: lastAt, marks }) {
  const found = marks.map(({ position, at }) => ({ position, at: Date.parse(at) }));
  if (firstAt && found[0]?.position !== first) found.unshift({ position: first, at: Date.parse(firstAt) });
  if (lastAt && found.at(-1)?.position !== last) found.push({ position: last, at: Date.parse(lastAt) });
  return found;
}

/** About when the record at a position was written; null where no mark tells. */
export function timeOf(marks, position) {
  const after = marks.findIndex((mark) => mark.position >= position);
  if (after < 0) return marks.at(-1)?.at ?? null;
  if (after === 0) return marks[0].at;
  const [from, to] = [marks[after - 1], marks[after]];
  return from.at + ((position - from.position) / (to.position - from.position)) * (to.at - from.at);
}

/** Between each mark and the next: `{from, to, at, perSec}`. */
export function density(marks) {
  return marks.slice(1).map(({ position, at }, index) => {
    const { position: from, at: since } = marks[index];
    const secs = Math.max(0.001, (at - since) / 1_000);
    return { from, to: position, at: since, perSec: (position - from) / secs };
  });
}

/** Read what was typed: a position, a date and time, or a time of today; null if it is neither. */
export function momentOf(text, now) {
  const typed = text.trim().replace(/,/g, "");
  if (/^\d{1,18}$/.test(typed)) return typed;
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(typed);
  const date = clock
    ? new Date(now).setHours(Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0), 0)
    : Date.parse(typed);
  return Number.isNaN(date) ? null : new Date(date).toISOString();
}
