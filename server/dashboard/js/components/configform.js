/** A queue's configuration: only what was changed is sent, so the rest goes on following defaults. */

import { h } from "../dom.js";
import { field } from "./dialog.js";
import { panel } from "./panel.js";
import { problem } from "./states.js";

const NUMBERS = [
  { name: "max_retries", label: "Retries", min: 0, max: 100, help: "After the first attempt, unless a job says otherwise." },
  { name: "default_timeout", label: "Timeout, seconds", min: 1, max: 86_400, help: "Told to the worker, unless a job says otherwise." },
  { name: "rate_limit", label: "Rate limit, jobs a second", min: 1, max: 100_000, empty: true, help: "Empty: none." },
];
const SETTINGS = [
  { name: "concurrency_limit", label: "Concurrency limit, jobs", min: 1, max: 100_000, help: "That may run at once. Empty: none." },
  { name: "retry_base_secs", label: "First retry wait, seconds", min: 0, max: 31_536_000, step: "any", help: "Doubled with each retry. Empty: the server's." },
  { name: "retry_cap_secs", label: "Longest retry wait, seconds", min: 0, max: 31_536_000, step: "any", help: "Empty: the server's." },
  { name: "retry_jitter", label: "Retry jitter", min: 0, max: 1, step: "any", help: "The share of a wait, 0 to 1, taken off at random. Empty: the server's." },
];

/** The form, in its panel. */
export function configForm(queue, ctx) {
  const submit = (event) => {
    event.preventDefault();
    save(queue, changesOf(queue, new FormData(event.currentTarget)), ctx);
  };
  const settings = queue.settings ?? {};
  return panel({ title: "Configuration", id: "config" },
    ctx.ui.refused && problem(ctx.ui.refused),
    h("form", { class: "stack", "aria-label": "Configuration", on: { submit } },
      h("div", { class: "fields" }, NUMBERS.map((one) => input(one, queue[one.name])), SETTINGS.map((one) => input(one, settings[one.name]))),
      h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Save"))));
}

function input({ name, label, help, min, max, step = "1" }, value) {
  return field({ name, label, help, type: "number", inputmode: "decimal", min, max, step, value: value ?? "" });
}

/** What the form says otherwise than the queue; `settings` is replaced as a whole by the server. */
function changesOf(queue, form) {
  const changes = {};
  for (const { name, empty } of NUMBERS) {
    const value = numberOf(form.get(name));
    if (value !== (queue[name] ?? null) && (value !== null || empty)) changes[name] = value;
  }
  const before = queue.settings ?? {};
  const settings = { ...before };
  for (const { name } of SETTINGS) {
    const value = numberOf(form.get(name));
    if (value === null) delete settings[name];
    else settings[name] = value;
  }
  if (JSON.stringify(settings) !== JSON.stringify(before)) changes.settings = settings;
  return changes;
}

function save(queue, changes, ctx) {
  if (Object.keys(changes).length === 0) return;
  ctx.act("Saving", async () => {
    ctx.set({ refused: null });
    try {
      await ctx.api.put(`queues/${encodeURIComponent(queue.queue_name)}/config`, changes);
    } catch (error) {
      ctx.set({ refused: error });
      throw error;
    }
    return `Saved: ${Object.keys(changes).join(", ")}`;
  });
}

function numberOf(text) {
  return text === null || text.trim() === "" ? null : Number(text);
}
