/** The types of events that the log knows, to choose from. */

export const EVENT_TYPES = [
  "job.created", "job.claimed", "job.completed", "job.failed", "job.lease_extended", "job.lease_expired",
  "job.due", "job.expired", "job.cancelled", "job.cancel_requested", "job.unblocked", "job.released",
  "job.retried", "job.priority_changed", "job.deleted", "job.retired", "job.settlement_refused",
  "job.restored", "job.reverted",
  "queue.created", "queue.configured", "queue.paused", "queue.resumed", "queue.deleted", "queue.restored",
  "worker.registered", "worker.heartbeat", "worker.deregistered", "worker.lost",
  "bulk.applied", "undo.applied", "key.created", "key.revoked", "server.started",
];
