/**
 * Playing the log forward: how far the next step goes, and when.
 *
 * A step waits for the answer of the one before it, so a server that is slow to fold is not hurried.
 */

const TICK_MS = 500;

/** What can be chosen: so many records a second, or so many times as fast as it happened. */
export const SPEEDS = [
  { name: "r1", label: "1 record a second", records: 1, everyMs: 1_000 },
  { name: "r4", label: "4 records a second", records: 1, everyMs: 250 },
  { name: "r40", label: "40 records a second", records: 20, everyMs: TICK_MS },
  { name: "t1", label: "as it happened", times: 1, everyMs: TICK_MS },
  { name: "t10", label: "10 times as fast", times: 10, everyMs: TICK_MS },
  { name: "t60", label: "60 times as fast", times: 60, everyMs: TICK_MS },
  { name: "t600", label: "600 times as fast", times: 600, everyMs: TICK_MS },
];

/** Give the speed of a name; the first for any other. */
export function speedOf(name) {
  return SPEEDS.find((speed) => speed.name === name) ?? SPEEDS[0];
}

/**
 * Give the moment after this one, or null at the end. `now` is `{position, timeMs}`, `end` likewise.
 */
export function nextMoment({ records, times, everyMs }, now, end) {
  if (now.position >= end.position) return null;
  if (records) return { at: String(Math.min(now.position + records, end.position)) };
  const timeMs = now.timeMs + times * everyMs;
  if (timeMs >= end.timeMs) return { at: String(end.position), timeMs: end.timeMs };
  return { at: new Date(timeMs).toISOString(), timeMs };
}

/** Give a player: `play`, `stop`, `arrived`, `playing`. `step(moment)` goes there, `changed()` hears of stops. */
export function createPlayer({ step, changed }) {
  let speed = null;
  let timer = null;
  let beganMs = 0;
  let timeMs = null;

  const stop = () => {
    clearTimeout(timer);
    if (speed === null) return;
    speed = null;
    changed();
  };
  const goOn = (position, recordMs, end) => {
    const next = nextMoment(speed, { position, timeMs: timeMs ?? recordMs }, end);
    if (next === null || document.hidden) {
      stop();
      return;
    }
    timer = setTimeout(() => {
      beganMs = performance.now();
      timeMs = next.timeMs ?? null;
      step(next.at);
    }, Math.max(0, speed.everyMs - (performance.now() - beganMs)));
  };
  return {
    get playing() {
      return speed !== null;
    },
    stop,
    play: (chosen, position, recordMs, end) => {
      clearTimeout(timer);
      [speed, beganMs, timeMs] = [chosen, performance.now(), null];
      changed();
      goOn(position, recordMs, end);
    },
    /** The moment that a step went to is shown: go on to the next. */
    arrived: (position, recordMs, end) => {
      clearTimeout(timer);
      if (speed !== null) goOn(position, recordMs, end);
    },
  };
}
