"""What a golden log of vocabulary 2 must add up to as well: what that vocabulary brought."""

from typing import Any

from projections.state import State
from tests.golden.facts import facts


def facts_v2(state: State) -> dict[str, Any]:
    return {
        **facts(state),
        "ways": {
            job.id: [job.trail, job.parent, job.blocked, job.cancel_requested_at]
            for job in state.tables.jobs.values()
        },
        "rules": {
            queue.name: [
                queue.retry_base_secs,
                queue.retry_cap_secs,
                queue.retry_jitter,
                queue.concurrency_limit,
                queue.last_claimed_at,
                queue.paid_until_ns,
            ]
            for queue in state.queues("default")
        },
    }
