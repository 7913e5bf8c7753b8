"""Measurements of this machine against the project's targets: ``spoolog bench``.

One module for each figure, one for load over HTTP, one for the server without a queue it is
compared with, one for events to replay, one for the report. Nothing here is part of the server.
"""
