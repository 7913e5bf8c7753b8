"""Handler that takes back what a record of the log did."""

from projections.specs import Undo
from server.http.answer import Answer
from server.http.call import Call
from server.http.views import undo as views
from server.http.wire import Body, reply
from server.undo import undo as take_back

UNDO = Body(Undo)


async def undo(call: Call) -> Answer:
    """Take back what a record did, with the whole action it is part of; `dry_run` only tells."""
    spec = await UNDO.read(call.request)
    dry_run = bool(spec.dry_run)
    async with call.service.undo_turn:
        made = await take_back(call.engine, call.caller, spec.position, dry_run=dry_run)
    return await reply(call, views.undone(made, dry_run=dry_run))
