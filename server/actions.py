"""One action on many jobs, carried out in parts, so that a million jobs hold up nobody.

What matches is found first, oldest first; each part is then judged anew, since jobs go on changing,
and is one record under the action's id. An action that is cut short has done its parts so far, and
asking for it again does the rest.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from projections import bounds
from projections.decide import Caller, actions
from projections.decide.actions import Action
from projections.queries.jobs import Matching
from server.engine import Engine

_PENDING_BYTES_MAX: Final = 4 * bounds.MIB
"""An action waits for the disk long before it could overload it."""


class Performed(Struct, frozen=True):
    """How many jobs matched, and those that were changed, or would be; oldest first."""

    action_id: str | None
    matched: int
    job_ids: list[str]


async def perform(engine: Engine, caller: Caller, action: Action) -> Performed:
    """Do it.

    Raises:
        Busy: not now; the parts before are done.
        LogError: the log takes no more records; the parts before may be done.

    """
    action_id = engine.new_id()
    matched = await _matching(engine, caller, action)
    changed: list[str] = []
    first = 0
    for part in _parts(matched):
        made = engine.execute(actions.apply, caller, action, action_id, part, first=first)
        changed.extend(made.answer.job_ids)
        if changed and not first:
            first = made.position
        await asyncio.sleep(0)
        if engine.log.pending_bytes > _PENDING_BYTES_MAX:
            await engine.durable(engine.state.position)
    return Performed(action_id, len(matched), changed)


async def rehearse(engine: Engine, caller: Caller, action: Action) -> Performed:
    """Tell what it would do now, and do nothing."""
    matched = await _matching(engine, caller, action)
    would: list[str] = []
    jobs = engine.state.tables.jobs
    for part in _parts(matched):
        would.extend(
            job.id for job_id in part if (job := jobs.get(job_id)) and actions.applies(action, job)
        )
        await asyncio.sleep(0)
    return Performed(None, len(matched), would)


async def _matching(engine: Engine, caller: Caller, action: Action) -> list[str]:
    """Give the ids of the jobs that match, oldest first, as many as the action may take."""
    state = engine.state
    matching = Matching(
        state,
        caller.org,
        action.filter,
        caller.may_use,
        ids=action.job_ids,
        jobs_max=action.jobs_max,
    )
    while not matching.step():  # noqa: ASYNC110 - a pause, not a poll
        await asyncio.sleep(0)
    return matching.ids()


def _parts(job_ids: list[str]) -> Iterator[list[str]]:
    size = bounds.JOBS_PER_RECORD_MAX
    return (job_ids[start : start + size] for start in range(0, len(job_ids), size))
