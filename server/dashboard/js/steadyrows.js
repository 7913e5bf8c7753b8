/**
 * A list that is loaded again under someone's hands keeps its rows where they are: while jobs are
 * selected, or the pointer or the focus is among them, what is known of the rows is brought up to
 * date, and others that would stand there now are only counted.
 */

/** The rows to show for a page: `{items, more}`, where `more` counts those that are held back. */
export async function steadyRows(page, { api, ui, query, signal }) {
  const address = JSON.stringify(query);
  const before = ui.rows;
  if (before?.address !== address) Object.assign(ui, { selection: null, all: null });
  if (before?.address !== address || !isInUse(ui)) return remembered(ui, address, page.items, 0);
  const fresh = new Map(page.items.map((job) => [job.id, job]));
  const missing = before.items.filter(({ id }) => !fresh.has(id)).map(({ id }) => id);
  const states = new Map();
  if (missing.length > 0) {
    const told = await api.get("jobs/status", { ids: missing.join(",") }, { signal });
    for (const one of told) states.set(one.id, one);
  }
  const items = before.items.map((job) => fresh.get(job.id) ?? { ...job, ...(states.get(job.id) ?? { status: "gone" }) });
  return remembered(ui, address, items, missing.length);
}

/** Handlers for the element around the rows, which tell whether someone is among them. */
export function watched(ui) {
  const set = (name, value) => () => {
    ui[name] = value;
  };
  return {
    pointerenter: (event) => {
      ui.pointed = event.pointerType === "mouse";
    },
    pointerleave: set("pointed", false),
    focusin: set("focused", true),
    focusout: set("focused", false),
  };
}

function isInUse({ selection, pointed, focused }) {
  return Boolean(selection?.size) || pointed || focused;
}

function remembered(ui, address, items, more) {
  ui.rows = { address, items };
  return { items, more };
}
