/** The time machine: queues and jobs as they were at any moment that the log still holds. */

import { isAborted } from "../api.js";
import { jump, momentPanel } from "../components/moment.js";
import { panel } from "../components/panel.js";
import { recordView } from "../components/record.js";
import { empty, problem } from "../components/states.js";
import { h } from "../dom.js";
import { number } from "../format.js";
import { landmarks } from "../moments.js";
import { createPast, isFolding, isOutOfReach } from "../past.js";
import { createPlayer } from "../player.js";
import { takeBackButton } from "../undo.js";
import { loadWorld } from "../world.js";
import { worldPanels } from "./timeworld.js";

const SPAN_KEPT_MS = 10_000;
const AGAIN_SECS = 1;

export const view = {
  path: "time",
  nav: "time",
  title: () => "Time machine",
  opened: (ctx) => {
    ctx.ui.player = createPlayer({
      step: (at) => ctx.go({ at }, { replace: true }),
      changed: () => ctx.set({}),
    });
    const onVisibility = () => {
      if (document.hidden) ctx.ui.player.stop();
    };
    document.addEventListener("visibilitychange", onVisibility);
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      clearTimeout(ctx.ui.resting);
      ctx.ui.player.stop();
    };
  },
  load: async (ctx) => {
    const { ui } = ctx;
    ui.past ??= createPast(ctx.api);
    try {
      const span = await spanOf(ctx);
      const at = ctx.query.at ?? String(span.last);
      const world = await loadWorld({ ...ctx, past: ui.past, at });
      ui.world = { ...world, serial: (ui.world?.serial ?? 0) + 1 };
      arrived(ui);
      return { span, marks: ui.marks, world: ui.world, folding: false, refused: null };
    } catch (error) {
      if (isAborted(error)) throw error;
      const shown = { span: ui.span ?? null, marks: ui.marks, world: ui.world ?? null };
      if (isFolding(error)) {
        again(error, ctx);
        return { ...shown, folding: true, refused: null };
      }
      ui.player?.stop();
      if (!isOutOfReach(error)) throw error;
      ui.drag = null;
      return { ...shown, folding: false, refused: error };
    }
  },
  render: (data, ctx) => [
    data.span && momentPanel(data, ctx),
    data.folding && h("p", { key: "folding", class: "notice", role: "status" }, "Folding the log to that moment… it is shown as soon as it is there."),
    data.refused ? refusal(data, ctx) : data.world && shown(data.world, ctx, data.folding),
  ],
};

async function spanOf({ api, ui, signal }) {
  if (!ui.span || performance.now() - ui.spanAt > SPAN_KEPT_MS) {
    ui.span = await api.get("log/span", null, { signal });
    ui.marks = landmarks(ui.span);
    ui.spanAt = performance.now();
  }
  return ui.span;
}

function arrived(ui) {
  const { position, time } = ui.world;
  if (ui.drag === position) ui.drag = null;
  ui.player?.arrived(position, Date.parse(time), { position: ui.span.last, timeMs: Date.parse(ui.span.last_at) });
}

/** Ask again when the server says so, unless something else is asked for meanwhile. */
function again({ retryAfterSecs }, { signal, reload }) {
  const timer = setTimeout(reload, (retryAfterSecs ?? AGAIN_SECS) * 1_000);
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
}

function refusal({ refused, span }, ctx) {
  const to = (label, at) => h("button", { type: "button", on: { click: () => jump(at, ctx) } }, label);
  return h("div", { key: "refused", class: "stack" },
    problem(refused),
    h("div", { class: "row" },
      refused.code === "LOG_EXPIRED" && span && to("To the first record there", String(span.first)),
      to("To the newest record", null)));
}

/** While one moves along the line, what is shown stays, and is not made again. */
function shown(world, ctx, folding) {
  const fill = () => [
    panel({ title: `Record ${number(world.position)}`, id: "record", aside: world.record && takeBackButton(world.record, ctx) }, told(world)),
    worldPanels(world, ctx),
  ];
  return h("div", { key: "world", class: folding ? "folding" : null, "aria-busy": String(folding) },
    h("div", { class: "stack", own: world.serial, fill }));
}

function told({ record, position }) {
  if (record) return recordView(record);
  if (position === 0) return empty("Before the first record", "There was nothing yet.");
  return empty("This key does not show the record", "It is of another organization, or of queues that the key does not cover.");
}
