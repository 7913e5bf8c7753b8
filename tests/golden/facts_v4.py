"""What a golden log of vocabulary 4 must add up to as well: what came back, as it had been."""

from typing import Any

from projections.state import State
from tests.golden.facts_v3 import facts_v3


def facts_v4(state: State) -> dict[str, Any]:
    return {
        **facts_v3(state),
        "order": list(state.tables.jobs),
        "leases": {
            job.id: [job.due_at, job.lease, job.lease_until, job.timeout_secs]
            for job in state.tables.jobs.values()
        },
        "hooks": {
            job.id: [job.completion_webhook, job.completion_webhook_secret]
            for job in state.tables.jobs.values()
        },
        "origins": {
            queue.name: [queue.id, queue.created_at, queue.updated_at]
            for queue in state.queues("default")
        },
        "pauses": {
            queue.name: [queue.paused_by, queue.paused_reason] for queue in state.queues("default")
        },
    }
