"""Where and when streams were silent, as the condition `no_data` judged it: what they count has no value there.

One object is shared by the stage that judges silence and the one that judges rates: rates go no further than silence is
known, and a rate whose place is silent neither fires nor resolves, whatever its window still holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from schemas.indicator import Indicator
from schemas.relations import RelationName

_STREAMS: Final[Mapping[RelationName, str]] = {
    "orders": "yangguang.seal", "camera_slots": "yangguang.camera", "banquets": "yangguang.banquet",
}  # fmt: skip
"""Whose silence leaves units of a relation without a value. Stock holds until it is changed, and a finding's camera may
be silent."""

Spans = list[tuple[datetime, datetime | None]]
"""Minutes [begin, end) of as_of; no end: it goes on."""
Silent = Mapping[tuple[str, str], Sequence[tuple[datetime, datetime | None]]]
"""By scope and scope_id."""


class Silences:
    """What is known of the silence of streams."""

    def __init__(self) -> None:
        self._spans: dict[str, dict[tuple[str, str], Spans]] = {}
        self._until: dict[str, datetime] = {}

    def restart(self, changes: Iterable[Mapping[str, Any]], until: Mapping[str, datetime]) -> None:
        """Forgets all, and begins with what is recorded.

        :param changes: as for `note`, in the order of their minutes.
        :param until: by stream, the last minute that was judged."""
        self._spans, self._until = {}, dict(until)
        self._add(changes)

    def note(self, stream: str, changes: Iterable[Mapping[str, Any]], until: datetime) -> None:
        """A stream's silence is judged up to a minute.

        :param changes: transitions of `no_data` as rows of `alert_log`, in the order of their minutes."""
        self._add(changes)
        self._until[stream] = until

    def until(self, indicator: Indicator) -> datetime | None:
        """Up to which minute silence is known that leaves the indicator without a value; None: none does, or nobody
        judges it."""
        return self._until.get(_STREAMS.get(indicator.relation, ""))

    def of(self, indicator: Indicator) -> Silent:
        """When it has no value, by place."""
        return self._spans.get(_STREAMS.get(indicator.relation, ""), {})

    def _add(self, changes: Iterable[Mapping[str, Any]]) -> None:
        for one in changes:
            spans = self._spans.setdefault(one["subject"], {}).setdefault((one["scope"], one["scope_id"]), [])
            if one["to_state"] == "firing":
                spans.append((one["as_of"], None))
            elif one["to_state"] == "resolved" and spans:
                spans[-1] = spans[-1][0], one["as_of"]
