"""How many hostile requests are tried, and which: from the environment."""

import os
from random import Random
from typing import Final

INPUTS: Final = int(os.environ.get("HOSTILE_INPUTS", "4000"))
FIRST: Final = int(os.environ.get("HOSTILE_FIRST", "0"))
_EACH_TIME: Final = "every-run" if os.environ.get("CI") == "true" else str(Random().randrange(10**6))
SEED: Final = os.environ.get("HOSTILE_SEED", _EACH_TIME)
