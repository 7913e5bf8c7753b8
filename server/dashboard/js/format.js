/** Numbers, times and sizes as people read them. Pure: the clock is a parameter. */

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const ONE_PLACE = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const TWO_PLACES = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const HOUR_MINUTE = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const DATE_AND_CLOCK = new Intl.DateTimeFormat("en-CA", {
  year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const NOTHING = "–";
const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];

/** 1234567 → 1,234,567 */
export function number(value) {
  return isMissing(value) ? NOTHING : WHOLE.format(value);
}

/** 1234567 → 1.2M, for where there is little room. */
export function compact(value) {
  if (isMissing(value)) return NOTHING;
  if (Math.abs(value) < 10_000) return WHOLE.format(value);
  if (Math.abs(value) < 1_000_000) return `${short(value / 1_000)}k`;
  return `${short(value / 1_000_000)}M`;
}

/** A rate: more places the smaller it is, so that slow is not shown as nothing. */
export function rate(value) {
  if (isMissing(value)) return NOTHING;
  if (value > 0 && value < 0.01) return "<0.01";
  if (value >= 10_000) return compact(value);
  return value < 10 ? TWO_PLACES.format(value) : short(value);
}

/** 0.034 → 3.4 % */
export function percent(share) {
  return isMissing(share) ? NOTHING : `${ONE_PLACE.format(share * 100)} %`;
}

/** Seconds in their largest unit, and the next below ten of it: 3725 → 1 h 2 min, 45000 → 12 h. */
export function duration(secs) {
  if (isMissing(secs)) return NOTHING;
  if (secs < 1) return secs <= 0 ? "0 s" : millis(secs * 1_000);
  if (secs < 10) return `${ONE_PLACE.format(secs)} s`;
  const first = UNITS.findIndex(([, length]) => secs >= length);
  const [unit, length] = UNITS[first];
  const whole = Math.floor(secs / length);
  const next = UNITS[first + 1];
  const rest = next && whole < 10 ? Math.floor((secs - whole * length) / next[1]) : 0;
  return rest > 0 ? `${WHOLE.format(whole)} ${unit} ${rest} ${next[0]}` : `${WHOLE.format(whole)} ${unit}`;
}

/** Milliseconds: 0.42 → 0.42 ms, 1500 → 1.5 s. */
export function millis(value) {
  if (isMissing(value)) return NOTHING;
  if (value >= 1_000) return duration(value / 1_000);
  return `${value < 10 ? TWO_PLACES.format(value) : WHOLE.format(value)} ms`;
}

/** 1536 → 1.5 KiB */
export function bytes(value) {
  if (isMissing(value)) return NOTHING;
  const step = Math.min(SIZES.length - 1, Math.floor(Math.log2(Math.max(value, 1)) / 10));
  return `${short(value / 1024 ** step)} ${SIZES[step]}`;
}

/** The local time of day of a moment. */
export function clock(moment) {
  return isMissing(moment) ? NOTHING : CLOCK.format(new Date(moment));
}

/** The same without seconds. */
export function hourMinute(moment) {
  return isMissing(moment) ? NOTHING : HOUR_MINUTE.format(new Date(moment));
}

/** The local date and time of a moment. */
export function dateTime(moment) {
  return isMissing(moment) ? NOTHING : DATE_AND_CLOCK.format(new Date(moment)).replace(",", "");
}

/** The same to the millisecond, for what happens in quick succession. */
export function exactTime(moment) {
  if (isMissing(moment)) return NOTHING;
  return `${dateTime(moment)}.${String(new Date(moment).getMilliseconds()).padStart(3, "0")}`;
}

/** How long ago a moment was, seen from `now` (milliseconds). */
export function ago(moment, now) {
  if (isMissing(moment)) return NOTHING;
  const secs = Math.floor((now - new Date(moment).getTime()) / 1_000);
  return secs < 0 ? `in ${duration(-secs)}` : `${duration(Math.max(0, secs))} ago`;
}

/** Both ends of an id: ids of one moment begin alike. */
export function shortId(id) {
  return id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
}

/** "1 job", "2 jobs" */
export function count(value, noun, plural = `${noun}s`) {
  return `${number(value)} ${value === 1 ? noun : plural}`;
}

function short(value) {
  return Math.abs(value) < 100 ? ONE_PLACE.format(value) : WHOLE.format(value);
}

function isMissing(value) {
  return value === null || value === undefined || Number.isNaN(value);
}
