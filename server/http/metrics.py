"""The handler of the metrics: open, or for the bearer of the metrics token; it waits for no disk."""

import hmac

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from projections.errors import BadCredentials, Unauthenticated
from server.http.answer import Answer
from server.http.call import Call
from server.http.caller import bearer


async def metrics(call: Call) -> Answer:
    """Give the metrics in the Prometheus text format, to the bearer of the token if there is one."""
    _admit(call)
    page = await call.service.metrics.page()
    return Answer(call, 200, page, content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _admit(call: Call) -> None:
    wanted = call.service.metrics_token
    if wanted is None:
        return
    authorization = call.request.headers.get("Authorization")
    if authorization is None:
        raise Unauthenticated("Missing Authorization header")
    if not hmac.compare_digest(_bytes(bearer(authorization)), _bytes(wanted)):
        raise BadCredentials


def _bytes(token: str) -> bytes:
    return token.encode(errors="surrogateescape")
