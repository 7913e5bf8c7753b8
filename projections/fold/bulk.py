"""Actions on many jobs, and what takes one back: what they did stands in the events behind them."""

from projections.events import BulkApplied, Record, UndoApplied
from projections.state import State


def on_applied(state: State, event: BulkApplied | UndoApplied, record: Record) -> None:
    """Told for the record."""
