/**
 * Boot: the session, the frame around all screens, and which screen is shown.
 *
 * A screen is a file in views/ that exports `view`, and one line in VIEWS below:
 *
 *   export const view = {
 *     path: "queues/:name",              // the address behind #/; :name becomes params.name
 *     nav: "queues",                     // the entry of the navigation that is marked
 *     title: (params) => "…",            // heading and title of the page
 *     everyMs: 2000,                     // how often it is loaded again; 0 or left out: never;
 *                                        // or a function of the data, undefined before there is any
 *     load: async (ctx) => data,         // ask the API; throw what it throws
 *     render: (data, ctx) => nodes,      // the whole screen, made with h(); called as often as needed
 *     opened: (ctx) => close,            // optional: start a stream, and give what ends it
 *   };
 *
 * `render` is a function of its arguments: dom.js changes the page to match what it gives, so that
 * a refresh keeps focus, selection, scroll position and what was typed. The context has
 *
 *   api      the client (api.js); pass `signal` to every request of `load`
 *   params, query   parts of the address; `query` is the place of filters, orders and tabs,
 *            so that a link shows the same
 *   go(patch)       change the query (null removes), which loads again; with {replace: true} the
 *                   way back skips what was there, as for every letter of a search
 *   ui, set(patch)  what belongs to this visit only, such as a selection; set renders again
 *   reload()        load again now
 *   act(what, work) do something: say so in a toast, show a refusal, and load again
 *   now()           the time, in milliseconds
 *
 * Loading, empty and error states are the frame's (screen.js); what could not be loaded again stays
 * on the page, marked as old.
 */

import { createApi } from "./api.js";
import { update } from "./dom.js";
import { matched, parsed } from "./router.js";
import { openScreen } from "./screen.js";
import { adoptFromLink, begin, currentKey, end } from "./session.js";
import { frame, showCurrent, signIn } from "./shell.js";
import { applyTheme, nextTheme } from "./theme.js";
import { view as deadletters } from "./views/deadletters.js";
import { view as enqueue } from "./views/enqueue.js";
import { view as job } from "./views/job.js";
import { view as jobs } from "./views/jobs.js";
import { view as log } from "./views/log.js";
import { view as overview } from "./views/overview.js";
import { view as queue } from "./views/queue.js";
import { view as queues } from "./views/queues.js";
import { view as time } from "./views/time.js";
import { view as workers } from "./views/workers.js";

const VIEWS = [
  overview,
  queues,
  queue,
  jobs,
  job,
  deadletters,
  workers,
  enqueue,
  time,
  log,
];
const HOME = "#/overview";

/** All that changes: the client of this session, the screen, and its address. */
const state = { api: null, screen: null, address: null };
const app = document.getElementById("app");

function start() {
  state.screen?.close();
  state.screen = null;
  state.address = null;
  const key = currentKey();
  if (key) {
    state.api = createApi(key, () => signOut("The server no longer accepts this key."));
    show();
  } else {
    showSignIn();
  }
}

function showSignIn(problem = null) {
  document.title = "Sign in – Spoolog";
  update(app, signIn({ problem, onKey: tryKey }));
  document.getElementById("key").focus();
}

async function tryKey(key) {
  showSignIn();
  try {
    await createApi(key).get("jobs/stats");
  } catch (error) {
    showSignIn(error);
    return;
  }
  begin(key);
  start();
}

function signOut(why = null) {
  end();
  start();
  if (why) showSignIn(new Error(why));
}

function show() {
  const { parts, query } = parsed(location.hash);
  const found = matched(VIEWS, parts);
  if (!found) {
    location.replace(HOME);
    return;
  }
  const { view, params } = found;
  const address = parts.join("/");
  if (state.screen && state.address === address) {
    state.screen.changeQuery(query);
    return;
  }
  const moved = state.screen !== null;
  state.screen?.close();
  state.address = address;
  drawFrame(view, params);
  state.screen = openScreen(view, { api: state.api, params, query }, document.getElementById("screen"));
  if (moved) {
    window.scrollTo(0, 0);
    document.getElementById("title").focus({ preventScroll: true });
  }
}

function drawFrame(view, params) {
  const title = view.title(params);
  document.title = `${title} – Spoolog`;
  const onTheme = () => {
    nextTheme();
    drawFrame(view, params);
  };
  update(app, frame({ nav: view.nav, title, onTheme, onSignOut: () => signOut() }));
  showCurrent();
}

window.addEventListener("hashchange", () => {
  if (adoptFromLink() || !state.api) start();
  else if (currentKey()) show();
});
applyTheme();
adoptFromLink();
// In a task of its own: together with all scripts that ran before, it would be a long one.
setTimeout(start);
