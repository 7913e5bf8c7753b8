/** A job by hand, to try something: what it carries, when and how often, and what became of it. */

import { urlOf } from "../api.js";
import { copyButton } from "../components/copy.js";
import { field } from "../components/dialog.js";
import { panel } from "../components/panel.js";
import { problem } from "../components/states.js";
import { curl } from "../curl.js";
import { h } from "../dom.js";
import { enqueue, FIELDS, readForm } from "../enqueuing.js";
import { filterOf } from "../filter.js";
import { count, number } from "../format.js";
import { bodyLike } from "../jobcommands.js";
import { readJson } from "../jsontext.js";
import { href } from "../router.js";

const SHOWN_MAX = 20;
const START = { queue_name: "", payload: { hello: "world" }, priority: 0 };

export const view = {
  path: "enqueue",
  nav: "enqueue",
  title: () => "Enqueue",
  load: async ({ api, query, signal }) => {
    const [queues, like] = await Promise.all([
      api.get("queues", null, { signal }),
      query.like ? api.get(`jobs/${encodeURIComponent(query.like)}`, null, { signal }) : null,
    ]);
    return { queues, start: { ...START, queue_name: query.queue ?? "", ...(like && bodyLike(like)) } };
  },
  render: (data, ctx) => [
    form(data, ctx),
    ctx.ui.made && outcome(ctx.ui.made),
  ],
};

function form({ queues, start }, ctx) {
  const submit = (event) => {
    event.preventDefault();
    send(new FormData(event.currentTarget), ctx);
  };
  const check = (event) => ctx.set({ payload: readJson(event.currentTarget.value) });
  const command = () => curl("POST", urlOf("jobs"), readForm(new FormData(document.getElementById("enqueue-form"))).body);
  return panel({ title: "A job by hand", id: "enqueue" },
    ctx.ui.refused && problem(ctx.ui.refused),
    h("form", { id: "enqueue-form", class: "stack", "aria-label": "Enqueue", on: { submit } },
      h("div", { class: "fields" },
        field({ name: "queue_name", label: "Queue", required: true, maxlength: 100, list: "enqueue-queues", autocomplete: "off", spellcheck: "false", value: start.queue_name, help: "One that is not there yet is made." })),
      h("datalist", { id: "enqueue-queues" }, queues.map(({ queue_name: name }) => h("option", { value: name }))),
      payloadField(start, check, ctx.ui.payload),
      h("div", { class: "fields" }, FIELDS.map(({ name, ...props }) => field({ name, ...props, value: textOf(name, start[name]) }))),
      h("div", { class: "row" },
        h("button", { type: "submit", class: "primary", disabled: Boolean(ctx.ui.sending) }, ctx.ui.sending ? `${number(ctx.ui.sending)} to go` : "Enqueue"),
        copyButton("Copy as curl", command))));
}

function payloadField(start, check, checked) {
  const wrong = checked?.problem;
  return h("div", { class: "field" },
    h("label", { for: "field-payload" }, "Payload"),
    h("textarea", {
      id: "field-payload", name: "payload", rows: 8, spellcheck: "false", required: true,
      "aria-invalid": String(Boolean(wrong)), "aria-describedby": "payload-told", value: JSON.stringify(start.payload, null, 2), on: { input: check },
    }),
    h("p", { id: "payload-told", class: wrong ? "bad" : "dim", role: "status" },
      wrong ? `${wrong}, line ${checked.line}, column ${checked.column}` : "JSON: any value."));
}

function textOf(name, value) {
  if (value === undefined || value === null) return name === "times" ? "1" : "";
  return name === "tags" && Array.isArray(value) ? value.join(", ") : String(value);
}

async function send(form, ctx) {
  const read = readForm(form);
  ctx.set({ payload: read.payload, refused: null, made: null });
  if (read.payload.problem) {
    document.getElementById("field-payload").focus();
    return;
  }
  const onLeft = (left) => ctx.set({ sending: left });
  try {
    const made = await enqueue(ctx.api, read, onLeft);
    ctx.set({ made: { queue: read.body.queue_name, jobs: made } });
  } catch (error) {
    ctx.set({ refused: error });
  } finally {
    ctx.set({ sending: 0 });
    ctx.reload();
  }
}

function outcome({ queue, jobs }) {
  const made = jobs.filter(({ created }) => created).length;
  const met = jobs.length - made;
  const title = [made > 0 && `${count(made, "job")} created`, met > 0 && `${number(met)} met before`].filter(Boolean).join(", ");
  const ids = [...new Set(jobs.map(({ id }) => id))];
  return panel({ title, id: "made", aside: h("a", { href: href("jobs", { q: filterOf({ queue }) }) }, `Jobs of ${queue}`) },
    met > 0 && h("p", { class: "dim" }, "Met before: a job with this idempotency key was there already, and nothing was changed."),
    h("ul", { class: "row" }, ids.slice(0, SHOWN_MAX).map((id) => h("li", { key: id }, h("a", { href: href(["jobs", id]) }, h("code", {}, id))))),
    ids.length > SHOWN_MAX && h("p", { class: "dim" }, `and ${number(ids.length - SHOWN_MAX)} more`));
}

