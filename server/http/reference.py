"""Handlers of the API's description: for programs and for people. Both are made at the start."""

from server.http.answer import Answer
from server.http.call import Call


async def openapi(call: Call) -> Answer:
    """Give this description: OpenAPI 3.1."""
    return Answer(call, 200, call.service.description.document)


async def docs(call: Call) -> Answer:
    """Give the description as a page to read; it needs no network and runs no script."""
    description = call.service.description
    further = {"Content-Security-Policy": description.page_policy}
    return Answer(call, 200, description.page, further, content_type="text/html; charset=utf-8")
