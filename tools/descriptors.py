"""How many files and connections this process may have open.

The limit that a process starts with is often made for programs that know few files; what it may be
raised to is the machine's own.
"""

import resource

from server.http.connections import TURNED_AWAY_MAX
from tools.output import note

_FILES_MAX = 128
"""Of the log, the loop and the libraries, generously."""


def make_room(connections_max: int) -> None:
    """Raise the limit as far as it goes, and warn when that is not enough for the connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    needed = connections_max + TURNED_AWAY_MAX + _FILES_MAX
    if hard != resource.RLIM_INFINITY and hard < needed:
        note(
            f"warning: at most {hard} files may be open (ulimit -Hn), --connections-max "
            f"{connections_max} needs {needed}: connections may be left without an answer"
        )
