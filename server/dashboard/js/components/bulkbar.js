/** What can be done with the selected jobs, or with all that match the filter. */

import { ACTIONS, actOnMany, countMatching } from "../jobactions.js";
import { h } from "../dom.js";
import { count, number } from "../format.js";

/** The bar above a list; `onPage` is how many rows it has, `parameters` what all of them match. */
export function bulkBar({ selection, onPage, hasMore, parameters, ctx }) {
  const all = selection.size === onPage ? ctx.ui.all : null;
  const filter = all ? parameters : { job_ids: [...selection] };
  const none = selection.size === 0;
  const act = (verb) => async () => {
    if (await actOnMany(verb, filter, ctx)) ctx.set({ selection: null, all: null });
  };
  return h("div", { key: "bulk", class: "bulk", role: "group", "aria-label": "Actions" },
    ACTIONS.map(({ verb, word, danger }) => h("button", {
      key: verb, id: `many-${verb}`, type: "button", class: danger ? "bad" : null, disabled: none, on: { click: act(verb) },
    }, `${word}…`)),
    h("span", { key: "count", class: "dim", role: "status" }, told(selection.size, all)),
    selection.size === onPage && hasMore && !all && h("button", {
      key: "all", id: "select-all", type: "button", class: "link", on: { click: () => selectAll(parameters, ctx) },
    }, "Select all that match"));
}

function told(selected, all) {
  if (all) return `All ${number(all.count)} that match are selected`;
  return selected > 0 ? `${count(selected, "job")} selected` : "";
}

async function selectAll(parameters, ctx) {
  const matched = await countMatching(parameters, ctx);
  if (matched !== null) ctx.set({ all: { count: matched } });
}
