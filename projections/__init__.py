"""Pure meaning: what a job's events say, and what state they add up to.

The law of this room: no I/O, no clock, no randomness, no asyncio. Time, ids and policy come in as
arguments; the same records give the same state on every machine, for ever. Import-linter checks it.

Reading order: ``events`` (what can have happened), ``lifecycle`` (which move is legal when),
``entities`` and ``state`` (what exists now), ``decide`` (a command becomes events or is refused),
``fold`` (events become state), ``queries`` (questions that change nothing).

``decide`` reads and returns events; ``fold`` writes and never refuses. Live and replay run the same
``fold``.
"""
