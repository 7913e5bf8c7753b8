"""Workers: registered, heard of, gone."""

from msgspec import UNSET

from projections.entities import Worker
from projections.events import (
    Record,
    WorkerDeregistered,
    WorkerHeartbeat,
    WorkerLost,
    WorkerRegistered,
)
from projections.rawjson import copied
from projections.state import State


def on_registered(state: State, event: WorkerRegistered, record: Record) -> None:
    """A worker, new or announcing itself again; a known one keeps its first registration time."""
    known = state.tables.workers.get(event.worker)
    worker = Worker(
        id=event.worker,
        org=event.org,
        queue=event.queue,
        hostname=event.hostname,
        status="healthy",
        max_concurrency=event.max_concurrency,
        registered_at=record.at if known is None else known.registered_at,
        updated_at=record.at,
        last_heartbeat=record.at,
        offline_at=event.offline_at,
        worker_type=event.worker_type,
        version=event.version,
        metadata=copied(event.metadata),
    )
    state.tables.workers[worker.id] = worker
    state.expect(worker)


def on_heartbeat(state: State, event: WorkerHeartbeat, record: Record) -> None:
    """It lives."""
    worker = state.tables.workers[event.worker]
    worker.current_jobs = event.current_jobs
    worker.status = event.status
    worker.last_heartbeat = worker.updated_at = record.at
    worker.offline_at = event.offline_at
    if event.metadata is not UNSET:
        worker.metadata = event.metadata.copy()
    state.expect(worker)


def on_deregistered(state: State, event: WorkerDeregistered, record: Record) -> None:
    """It said goodbye."""
    _take_offline(state, event.worker, record)


def on_lost(state: State, event: WorkerLost, record: Record) -> None:
    """It was silent for too long."""
    _take_offline(state, event.worker, record)


def _take_offline(state: State, worker_id: str, record: Record) -> None:
    worker = state.tables.workers[worker_id]
    worker.status = "offline"
    worker.current_jobs = 0
    worker.offline_at = None
    worker.updated_at = record.at
    state.expect(worker)
