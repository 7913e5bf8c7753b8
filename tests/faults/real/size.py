"""How large the fault tests are, and from which seed: short by default, long when asked."""

import os
from typing import Final

LONG: Final = os.environ.get("SPOOLOG_FAULTS") == "long"


def seed(suite: str) -> int:
    """Give the seed of a suite and print it; `SPOOLOG_FAULTS_SEED` repeats a run."""
    chosen = int(os.environ.get("SPOOLOG_FAULTS_SEED") or int.from_bytes(os.urandom(4)))
    print(f"\n[{suite}] SPOOLOG_FAULTS_SEED={chosen}")  # noqa: T201  a red run must be repeatable
    return chosen
