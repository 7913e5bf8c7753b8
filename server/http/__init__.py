"""The HTTP face: read a request, execute one command or query, reply.

No queue rule lives here. ``routes`` lists every endpoint, ``wire`` reads and replies, ``errors``
maps refusals to statuses, ``views`` gives entities the API's shape, and one module per noun holds
its handlers.
"""
