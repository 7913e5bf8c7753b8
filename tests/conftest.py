"""What holds for every test: hypothesis repeats itself, so that a red run can be run again.

`HYPOTHESIS_PROFILE=search` makes it look for something new each time.
"""

import os

from hypothesis import settings

settings.register_profile("repeat", derandomize=True, database=None)
settings.register_profile("search", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))
