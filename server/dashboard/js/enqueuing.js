/** The fields of the form that enqueues by hand, what they say, and the requests that do it. */

import { readJson } from "./jsontext.js";

export const TIMES_MAX = 1_000;
const AT_ONCE = 6;

/** All but queue and payload. */
export const FIELDS = [
  { name: "priority", label: "Priority", type: "number", min: -100, max: 100, step: 1, help: "−100 to 100, higher first." },
  { name: "max_retries", label: "Retries", type: "number", min: 0, max: 100, step: 1, help: "Empty: the queue's." },
  { name: "delay_secs", label: "Delay, seconds", type: "number", min: 0, step: "any", help: "Not handed out before. Empty: at once." },
  { name: "scheduled_at", label: "Or at a time", type: "datetime-local", step: 1, help: "Your local time." },
  { name: "tags", label: "Tags", autocomplete: "off", help: "With commas between." },
  { name: "idempotency_key", label: "Idempotency key", maxlength: 255, autocomplete: "off", help: "A second job with the same one is not made." },
  { name: "times", label: "Times", type: "number", required: true, min: 1, max: TIMES_MAX, step: 1, help: "How many such jobs." },
];

/** What a form says: `{body, times, payload}`; `payload` tells what is wrong with its text. */
export function readForm(form) {
  const payload = readJson(form.get("payload"));
  const tags = form.get("tags").split(",").map((tag) => tag.trim()).filter(Boolean);
  const body = {
    queue_name: form.get("queue_name").trim(),
    payload: payload.value,
    priority: numberOf(form.get("priority")),
    max_retries: numberOf(form.get("max_retries")),
    scheduled_at: momentOf(form),
    tags: tags.length > 0 ? tags : null,
    idempotency_key: form.get("idempotency_key") || null,
  };
  const given = Object.entries(body).filter(([name, value]) => value !== null || name === "payload");
  return { body: Object.fromEntries(given), times: numberOf(form.get("times")) ?? 1, payload };
}

/** Enqueue it so many times, a few at once; gives the answers. `onLeft` hears how many are to come. */
export async function enqueue(api, { body, times }, onLeft) {
  const made = [];
  while (made.length < times) {
    onLeft(times - made.length);
    const part = Math.min(AT_ONCE, times - made.length);
    made.push(...await Promise.all(Array.from({ length: part }, () => api.post("jobs", body))));
  }
  return made;
}

function momentOf(form) {
  const delay = numberOf(form.get("delay_secs"));
  if (delay !== null) return new Date(Date.now() + delay * 1_000).toISOString();
  const at = form.get("scheduled_at");
  return at ? new Date(at).toISOString() : null;
}

function numberOf(text) {
  return text === null || text.trim() === "" ? null : Number(text);
}
