"""What there is now over all queues and workers, counted in slices; no job is looked at.

The number of queues has no bound, so a count over all of them lets requests in between. Its parts
are then of slightly different moments; for figures that are asked for every few seconds that is fine.
"""

import asyncio
from typing import Final

from msgspec import Struct, field

from projections.lifecycle import Status
from projections.state import State

_PER_SLICE: Final = 1_000


class Stock(Struct):
    """Jobs by status, when the oldest that waits was created, and the workers that are there."""

    jobs: dict[Status, int] = field(default_factory=lambda: dict.fromkeys(Status, 0))
    oldest_us: int | None = None
    workers_active: int = 0
    workers_healthy: int = 0


async def take_stock(state: State) -> Stock:
    """Count."""
    stock = Stock()
    shelves = [shelf for of_org in state.shelves.values() for shelf in of_org.values()]
    for number, shelf in enumerate(shelves, start=1):
        for status, jobs in shelf.by_status.items():
            stock.jobs[status] += len(jobs)
        oldest = shelf.oldest_waiting()
        if oldest is not None and (stock.oldest_us is None or oldest.created_at < stock.oldest_us):
            stock.oldest_us = oldest.created_at
        await _pause(number)
    for number, worker in enumerate(list(state.tables.workers.values()), start=1):
        stock.workers_active += worker.status != "offline"
        stock.workers_healthy += worker.status == "healthy"
        await _pause(number)
    return stock


async def _pause(number: int) -> None:
    if number % _PER_SLICE == 0:
        await asyncio.sleep(0)
