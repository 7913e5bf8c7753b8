"""API keys. The hash comes in ready-made: hashing needs a secret, and secrets stay outside."""

from msgspec import Struct

from projections.decide import Context, Decision
from projections.events import Event, KeyCreated, KeyRevoked
from projections.state import State


class NewKey(Struct, frozen=True):
    """A key as the log may know it: its keyed hash and its first characters."""

    name: str
    hash: str
    prefix: str


def bootstrap(state: State, ctx: Context, key: NewKey) -> Decision[None]:
    """Make `key` the one key the server itself stands for; an earlier such key stops working."""
    current = [known for known in state.tables.keys.values() if known.bootstrap and known.active]
    if [known.hash for known in current] == [key.hash]:
        return Decision((), None)
    revoked: tuple[Event, ...] = tuple(KeyRevoked(org=old.org, key=old.id) for old in current)
    created = KeyCreated(
        org=ctx.org,
        key=f"key_{ctx.new_id()}",
        name=key.name,
        hash=key.hash,
        prefix=key.prefix,
        queues=["*"],
        bootstrap=True,
    )
    return Decision((*revoked, created), None)
