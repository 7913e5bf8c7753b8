"""Actions on many jobs: what they did stands in the job events behind them."""

from projections.events import BulkApplied, Record
from projections.state import State


def on_applied(state: State, event: BulkApplied, record: Record) -> None:
    """Told for the record."""
