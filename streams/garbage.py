"""The garbage collector in processes that make and drop much, and keep little."""

import gc
from typing import Final

SELDOM: Final = 50_000


def quieten_garbage_collector(threshold: int = SELDOM) -> None:
    """What lives now lives for good, and blocks are dropped without cycles: full collections would cost a third of the
    landing stage's time. Called once, when everything is loaded.

    :param threshold: new objects after which it looks for cycles; few where these may hold much."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(threshold, 20, 20)
