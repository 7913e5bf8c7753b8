/** A job's attempts, as its events tell of them. Pure. */

const WAITING = ["pending", "scheduled"];
const OVER = ["completed", "failed", "deadletter", "cancelled"];

/**
 * Attempts `{from, claimed, until, ending}`, in milliseconds, oldest first: from when it waited, when
 * a worker had it, and when and by which event it ended; null for what has not happened.
 */
export function attemptsOf(events) {
  const attempts = [];
  for (const event of events) {
    const at = new Date(event.created_at).getTime();
    const last = attempts.at(-1);
    const open = last && last.ending === null ? last : null;
    if (event.event_type === "claimed" && open) open.claimed = at;
    else if (event.event_type === "claimed") attempts.push({ ...begun(at), claimed: at });
    else if (ends(event) && open) Object.assign(open, { until: at, ending: event.event_type });
    // What was sent back and taken back again waited, but nobody will ever have it.
    else if (open && open.claimed === null && backAs(event, OVER)) attempts.pop();
    if (goesOn(event) && (!open || ends(event))) attempts.push(begun(at));
  }
  return attempts;
}

function begun(from) {
  return { from, claimed: null, until: null, ending: null };
}

function ends({ event_type: type }) {
  return ["completed", "failed", "lease_expired", "released", "cancelled", "expired"].includes(type);
}

/** Whether a job waits for a worker from this event on. */
function goesOn(event) {
  const { event_type: type, details } = event;
  if (type === "failed") return details.retry_at !== undefined;
  if (type === "lease_expired") return !details.deadletter && !details.cancelled;
  return ["created", "retried", "released"].includes(type) || backAs(event, WAITING);
}

function backAs({ event_type: type, details }, states) {
  return type === "reverted" && states.includes(details.status);
}
