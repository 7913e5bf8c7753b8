"""How much the fault tests do: the form for every day, or with SPOOLOG_FAULTS=long the long one."""

import os

LONG = os.environ.get("SPOOLOG_FAULTS") == "long"
