"""What the server itself does to its log."""

from projections.decide import Context, Decision
from projections.events import ServerStarted
from projections.state import State


def start(state: State, ctx: Context, version: str, epoch: int) -> Decision[None]:
    """Record that a server became this log's writer."""
    return Decision((ServerStarted(org=ctx.org, version=version, epoch=epoch),), None)
