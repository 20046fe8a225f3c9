"""By what definition stored numbers were computed: a digest that stands in the catalogue and among the settings."""

import hashlib
import json
from typing import Final

from schemas.indicator import Indicator

LAYOUT: Final = "1"
"""Another value makes every stored aggregate be computed anew at the next start of a worker."""

COMPUTED_AS: Final = "computed_as:"
"""Before the code of an indicator in the table of settings."""


def computed_as(indicator: Indicator) -> str:
    """A digest of all by which the buckets or spans of an indicator are computed."""
    text = json.dumps([LAYOUT, indicator.relation, indicator.counts, indicator.scopes, indicator.phases()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
