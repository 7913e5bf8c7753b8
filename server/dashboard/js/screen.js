/**
 * Runs one screen: loads it, again and again while someone looks, and draws what came.
 *
 * Of two loads only the later one counts. A hidden tab asks for nothing.
 */

import { ApiError, isAborted } from "./api.js";
import { loading, problem, stale } from "./components/states.js";
import { toast } from "./components/toast.js";
import { update } from "./dom.js";
import { href, parsed } from "./router.js";

const PATIENCE_MS = 250;
const BACKOFF_MS_MAX = 30_000;

/** Open a view in `root`; gives `{close, changeQuery}`. */
export function openScreen(view, { api, params, query }, root) {
  let data;
  let error = null;
  let loadedAt = null;
  let failures = 0;
  let closed = false;
  let pending = new AbortController();
  let timer = null;

  const ctx = {
    api, params, query,
    ui: {},
    signal: pending.signal,
    now: () => Date.now(),
    reload: () => load(),
    set: (patch) => {
      Object.assign(ctx.ui, patch);
      draw();
    },
    go: (patch, { replace = false } = {}) => goTo({ ...ctx.query, ...patch }, replace),
    act: (what, work) => act(what, work, load),
  };

  const draw = () => {
    if (closed) return;
    root.setAttribute("aria-busy", String(data === undefined && !error));
    root.classList.toggle("old", error !== null);
    if (data === undefined) {
      update(root, error ? problem(error, load) : loading());
      return;
    }
    update(root, error && stale(error, loadedAt, load), view.render(data, ctx));
  };

  async function load() {
    pending.abort();
    clearTimeout(timer);
    pending = new AbortController();
    const { signal } = pending;
    const patience = data === undefined ? setTimeout(draw, PATIENCE_MS) : null;
    try {
      const found = await view.load({ ...ctx, signal });
      if (signal.aborted) return;
      [data, error, loadedAt, failures] = [found, null, Date.now(), 0];
    } catch (raised) {
      if (signal.aborted || isAborted(raised)) return;
      if (!(raised instanceof ApiError)) console.error(raised);
      error = raised;
      failures += 1;
    } finally {
      clearTimeout(patience);
    }
    draw();
    schedule();
  }

  const schedule = () => {
    clearTimeout(timer);
    const everyMs = paceOf(view, data);
    if (closed || !everyMs || document.hidden) return;
    const backoff = Math.min(everyMs * 2 ** Math.min(failures, 5), BACKOFF_MS_MAX);
    timer = setTimeout(load, Math.max(backoff, (error?.retryAfterSecs ?? 0) * 1_000));
  };

  const onVisibility = () => {
    if (!document.hidden && paceOf(view, data)) load();
    else clearTimeout(timer);
  };
  document.addEventListener("visibilitychange", onVisibility);
  root.setAttribute("aria-busy", "true");
  update(root);
  root.setAttribute("aria-busy", "true");
  load();
  const end = view.opened?.(ctx);

  return {
    close: () => {
      closed = true;
      pending.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisibility);
      end?.();
    },
    changeQuery: (changed) => {
      ctx.query = changed;
      if (data !== undefined) draw();
      load();
    },
  };
}

/** Milliseconds between loads; a view may let them depend on what it loaded. */
function paceOf({ everyMs }, data) {
  return typeof everyMs === "function" ? everyMs(data) : everyMs;
}

function goTo(query, replace) {
  const wanted = href(parsed(location.hash).parts, query);
  if (replace) location.replace(wanted);
  else location.hash = wanted;
}

async function act(what, work, reload) {
  try {
    const told = await work();
    toast(typeof told === "string" ? told : what);
    return true;
  } catch (error) {
    toast(`${what} failed: ${error.message}`, { error });
    return false;
  } finally {
    reload();
  }
}
