"""What a golden log of vocabulary 3 must add up to as well: which jobs are finished, whose keys hold."""

from typing import Any

from projections.state import State
from tests.golden.facts_v2 import facts_v2


def facts_v3(state: State) -> dict[str, Any]:
    return {
        **facts_v2(state),
        "finished": [job_id for _, job_id in state.finished.in_order()],
        "idempotency": {key: job.id for (_, key), job in state.idempotency.items()},
    }
