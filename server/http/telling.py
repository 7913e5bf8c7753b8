"""How a state answers what is asked of it, in the API's words: now, or at any moment of the past.

The live routes and the process that shows the past use the same functions, so both say the same.
No aiohttp here, no clock, and no waiting.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from projections import bounds
from projections.decide import Caller, jobs, workers
from projections.entities import Queue
from projections.errors import NotFound
from projections.lifecycle import Status
from projections.queries import jobs as queries
from projections.queries.stats import queue_stats
from projections.state import State
from server import questions as asks
from server.http.views import explain as explain_views
from server.http.views import jobs as job_views
from server.http.views import queues as queue_views
from server.http.views import workers as worker_views
from server.http.views.overall import JobCounts


class World(Struct, frozen=True):
    """A state at a moment, seen by a caller.

    `max_retries` and `timeout_secs` are the server's, for queues that do not say.
    """

    state: State
    now_us: int
    caller: Caller
    max_retries: int
    timeout_secs: int


class Told(Struct, frozen=True):
    """An answer's view; for a page, whether more follows."""

    view: Any
    has_more: bool | None = None


def tell(world: World, question: asks.AnyQuestion) -> Told:
    """Answer at once.

    Raises:
        NotFound: the caller sees no such thing there.

    """
    if isinstance(question, asks.JobPage):
        search = searching(world, question)
        while not search.step():
            pass
        return found(search)
    return Told(_TELLERS[type(question)](world, question))


def searching(world: World, question: asks.JobPage) -> queries.Search:
    """Give the search for a page, to be run in steps."""
    caller = world.caller
    return queries.Search(world.state, caller.org, question.wanted, caller.may_use)


def found(search: queries.Search) -> Told:
    """Tell the page that a search has found."""
    page = search.page()
    return Told([job_views.summary(job) for job in page.jobs], page.has_more)


def queue_of(state: State, caller: Caller, name: str) -> Queue:
    """Give the caller's queue.

    Raises:
        NotFound: no such queue for this caller.

    """
    queue = state.queue(caller.org, name)
    if queue is None or not caller.may_use(name):
        raise NotFound("Queue not found")
    return queue


def _job(world: World, asked: asks.OneJob) -> job_views.JobDetail:
    return job_views.job(jobs.found(world.state, world.caller, asked.job_id))


def _counts(world: World, _: asks.CountedJobs) -> JobCounts:
    caller = world.caller
    counts = queries.counts(world.state, caller.org, caller.may_use)
    by_status = {status.value: counts[status] for status in Status}
    return JobCounts(**by_status, total=sum(counts.values()))


def _explained(world: World, asked: asks.ExplainedJob) -> explain_views.Explanation:
    job = jobs.found(world.state, world.caller, asked.job_id)
    return explain_views.explained(world.state, job, world.now_us)


def _queues(world: World, _: asks.QueueList) -> list[queue_views.QueueSummary]:
    caller = world.caller
    mine = [queue for queue in world.state.queues(caller.org) if caller.may_use(queue.name)]
    mine.sort(key=lambda queue: queue.name)
    return [
        queue_views.queue_summary(queue, world.max_retries, world.timeout_secs)
        for queue in mine[: bounds.LISTED_QUEUES_MAX]
    ]


def _queue(world: World, asked: asks.OneQueue) -> queue_views.QueueDetail:
    queue = queue_of(world.state, world.caller, asked.name)
    return queue_views.queue(queue, world.max_retries, world.timeout_secs)


def _figures(world: World, asked: asks.FiguresOfQueue) -> queue_views.QueueFigures:
    caller = world.caller
    if not caller.may_use(asked.name):
        raise NotFound("Queue not found")
    figures = queue_stats(world.state, caller.org, asked.name, world.now_us)
    return queue_views.queue_figures(asked.name, figures)


def _workers(world: World, _: asks.WorkerList) -> list[worker_views.WorkerDetail]:
    caller = world.caller
    everyone = world.state.tables.workers.values()
    mine = [one for one in everyone if one.org == caller.org and caller.may_use(one.queue)]
    mine.sort(key=lambda worker: (-worker.last_heartbeat, worker.id))
    return [worker_views.worker(one) for one in mine[: bounds.LISTED_WORKERS_MAX]]


def _worker(world: World, asked: asks.OneWorker) -> worker_views.WorkerDetail:
    return worker_views.worker(workers.found(world.state, world.caller, asked.worker_id))


_TELLERS: Final[Mapping[type, Callable[[World, Any], Any]]] = {
    asks.OneJob: _job,
    asks.CountedJobs: _counts,
    asks.ExplainedJob: _explained,
    asks.QueueList: _queues,
    asks.OneQueue: _queue,
    asks.FiguresOfQueue: _figures,
    asks.WorkerList: _workers,
    asks.OneWorker: _worker,
}
