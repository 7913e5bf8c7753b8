/** Follows one job while it may still change: each change loads its screen again, at once. */

import { follow } from "./live.js";

const OVER = ["completed", "failed", "deadletter", "cancelled"];

/** Whether nothing happens to a job any more, unless somebody makes it. */
export function isOver({ status }) {
  return OVER.includes(status);
}

/** A stream of the job of a screen; `state` is "live", "waiting" or "polling". */
export function stream(ctx) {
  let end = null;
  const self = {
    state: "polling",
    /** Follow a job as it was loaded; one that is over is left alone. */
    follow: (job) => {
      if (isOver(job)) self.close();
      else end ??= begin(job.id);
    },
    close: () => {
      end?.();
      end = null;
      self.state = "polling";
    },
  };
  const begin = (id) => follow(ctx.api, `events/jobs/${encodeURIComponent(id)}`, {}, {
    onEvent: ({ data }) => {
      // The server ends the stream with the job; a browser would come back for it again and again.
      if (OVER.includes(data.new_status)) self.close();
      ctx.reload();
    },
    onState: (state) => {
      self.state = state;
      ctx.set({});
    },
  });
  return self;
}
