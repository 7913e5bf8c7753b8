/** The log itself: what is appended as it happens, the files it stands in, and whether they are whole. */

import { logFiles, logIntegrity } from "../components/logfiles.js";
import { logTail } from "../components/logtail.js";
import { tabs } from "../components/tabs.js";
import { h } from "../dom.js";
import { EVENT_TYPES } from "../eventtypes.js";
import { looked, newTail } from "../tail.js";

const FILTERS = [["type", "Event type", "event-types"], ["queue", "Queue", null], ["job", "Job id", null]];

export const view = {
  path: "log",
  nav: "log",
  title: () => "Log",
  everyMs: 1_000,
  load: async ({ api, query, ui, signal }) => {
    if (query.tab === "files") return { files: await api.get("log/segments", null, { signal }) };
    if (query.tab === "integrity") return { stat: await api.get("log/stat", null, { signal }) };
    const filter = Object.fromEntries(FILTERS.map(([name]) => [name, query[name]]));
    const isSame = JSON.stringify(ui.tail?.filter) === JSON.stringify(filter);
    const tail = await looked(isSame ? ui.tail : newTail(filter), { api, paused: ui.paused, signal });
    // Of two looks only the one that is shown counts: the other's records come again.
    if (!signal.aborted) ui.tail = tail;
    return { tail };
  },
  render: (data, ctx) => tabs({
    label: "Parts of the log",
    chosen: ctx.query.tab ?? "tail",
    onChoose: (tab) => ctx.go({ tab: tab === "tail" ? null : tab }),
    entries: [["tail", "As it happens"], ["files", "Segments and snapshots"], ["integrity", "Is it whole?"]],
    panel: panelOf(data, ctx),
  }),
};

function panelOf({ files, stat, tail }, ctx) {
  if (ctx.query.tab === "files") return files && logFiles(files, ctx);
  if (ctx.query.tab === "integrity") return stat && logIntegrity(stat);
  return tail && [filters(ctx), logTail(tail, ctx)];
}

function filters(ctx) {
  const change = (name) => (event) => ctx.go({ [name]: event.currentTarget.value.trim() });
  const submit = (event) => event.preventDefault();
  return h("form", { key: "filters", class: "filters", role: "search", "aria-label": "Filter records", on: { submit } },
    FILTERS.map(([name, label, list]) => h("div", { key: name, class: "field" },
      h("label", { for: `log-${name}` }, label),
      h("input", { id: `log-${name}`, type: "search", list, autocomplete: "off", spellcheck: "false", value: ctx.query[name] ?? "", on: { change: change(name) } }))),
    h("datalist", { id: "event-types" }, EVENT_TYPES.map((type) => h("option", { key: type, value: type }))));
}
