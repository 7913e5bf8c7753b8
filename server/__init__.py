"""The service: engine side (clock, ids, engine, start-up, timekeeper) and the HTTP face.

Files at this level except ``app`` run without aiohttp; ``http/`` is the face and holds no queue
rule; ``app`` alone joins the two.
"""
