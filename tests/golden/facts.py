"""What a golden log must always add up to: facts of old, which later fields cannot change."""

from typing import Any

from msgspec import UNSET

from projections.state import State


def facts(state: State) -> dict[str, Any]:
    return {
        "jobs": {
            job.id: {
                "queue": job.queue,
                "status": job.status.value,
                "payload": bytes(job.payload).decode(),
                "result": None if job.result is UNSET else bytes(job.result).decode(),
                "tags": None if job.tags is UNSET else bytes(job.tags).decode(),
                "priority": job.priority,
                "retries": [job.retry_count, job.max_retries],
                "last_error": job.last_error,
                "times_us": [
                    job.created_at,
                    job.updated_at,
                    job.scheduled_at,
                    job.expires_at,
                    job.started_at,
                    job.completed_at,
                ],
                "worker": job.worker,
                "position": job.position,
            }
            for job in state.tables.jobs.values()
        },
        "queues": {
            queue.name: [
                queue.max_retries,
                queue.default_timeout_secs,
                queue.rate_limit,
                bytes(queue.settings).decode(),
                queue.paused_at,
            ]
            for queue in state.queues("default")
        },
        "workers": {
            worker.id: [worker.status, worker.current_jobs, worker.last_heartbeat]
            for worker in state.tables.workers.values()
        },
        "keys": {key.hash: key.active for key in state.tables.keys.values()},
        "position": state.position,
    }
