"""API keys, and the server's own events."""

from projections.entities import ApiKey
from projections.events import KeyCreated, KeyRevoked, Record, ServerStarted
from projections.state import State


def on_key_created(state: State, event: KeyCreated, record: Record) -> None:
    """A key is valid from here on."""
    key = ApiKey(
        id=event.key,
        org=event.org,
        name=event.name,
        hash=event.hash,
        prefix=event.prefix,
        queues=event.queues,
        created_at=record.at,
        bootstrap=event.bootstrap,
    )
    state.tables.keys[key.id] = key
    state.keys_by_hash[key.hash] = key


def on_key_revoked(state: State, event: KeyRevoked, record: Record) -> None:
    """The key stops working; its row stays."""
    state.tables.keys[event.key].active = False


def on_server_started(state: State, event: ServerStarted, record: Record) -> None:
    """Told for the record: a new writer, from this position on."""
    assert event.epoch > 0
