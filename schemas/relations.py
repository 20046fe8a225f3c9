"""What an indicator can count: relations of units, and the fields that its conditions may speak of.

Each field names the stream that it comes from, so the streams that an indicator reads, and with them its watermark,
follow from the words of its conditions.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal, NamedTuple

from schemas.banquet import Banquet
from schemas.camera import Finding, Heartbeat, Kitchen
from schemas.event import EventData
from schemas.measure import Measure
from schemas.registry import Operator, Village
from schemas.seal import Order

Kind = Literal["stock", "flow", "availability"]
RelationName = Literal[
    "operators", "villages", "duties", "orders", "banquets", "findings", "duties_due", "camera_slots"
]

_WORD: Final = re.compile(r"'[^']*'|\b[a-z_]+\b")


class Silence(NamedTuple):
    """How long nothing may be counted before it is no data rather than no activity, and between which hours of the day
    (Asia/Shanghai) that is so."""

    length: timedelta
    from_hour: int = 0
    until_hour: int = 24


class Relation(NamedTuple):
    """Units of one kind.

    `accounted_at` is the field by whose minute a unit of a flow counts, None for stock; `fields` maps the words of
    conditions to the model that they come from."""

    kind: Kind
    unit: str
    model: type[EventData]
    accounted_at: str | None
    fields: Mapping[str, type[EventData]]
    silence: Silence | None = None

    def streams(self, *conditions: str) -> tuple[str, ...]:
        """The streams that these conditions read, that of the units first."""
        words = {word for condition in conditions for word in _WORD.findall(condition)}
        found = [self.model.stream, *(model.stream for name, model in self.fields.items() if name in words)]
        return tuple(dict.fromkeys(found))


def _all(model: type[EventData], *names: str) -> dict[str, type[EventData]]:
    return dict.fromkeys(names, model)


_REGISTRY: Final = Silence(timedelta(hours=48))
"""The registry is written all the time, so silence of all of it is meant, and not of one place."""

RELATIONS: Final[Mapping[str, Relation]] = {
    "operators": Relation(
        "stock",
        "operator",
        Operator,
        None,
        {
            **_all(
                Operator, "kind", "town_code", "status", "platforms", "grade", "certified", "director", "officers",
                "accepted", "trained", "healthy",
            ),
            "kitchen": Kitchen,
            "ordered": Order,
        },
        _REGISTRY,
    ),
    "villages": Relation("stock", "village", Village, None, _all(Village, "town_code", "served"), _REGISTRY),
    "duties": Relation("stock", "duty", Measure, None, _all(Measure, "measure", "town_code", "status"), _REGISTRY),
    "orders": Relation(
        "flow",
        "order",
        Order,
        "delivered_at",
        _all(
            Order, "operator_id", "platform", "town_code", "delivered_at", "fulfilment", "packages", "sealed_packages",
            "seal_state", "evidence_level",
        ),
        Silence(timedelta(hours=2), 10, 22),
    ),
    "banquets": Relation(
        "flow",
        "banquet",
        Banquet,
        "held_at",
        {
            **_all(
                Banquet, "town_code", "venue", "status", "declared_at", "held_at", "diners", "tables", "cook_id",
                "guided_at", "samples_retained",
            ),
            "cook_trained": Operator,
            "cook_healthy": Operator,
        },
        Silence(timedelta(days=30)),
    ),
    "findings": Relation(
        "flow",
        "finding",
        Finding,
        "due_at",
        _all(
            Finding, "operator_id", "town_code", "finding", "vendor", "confidence", "review", "found_at", "due_at",
            "closed_at",
        ),
    ),
    "duties_due": Relation(
        "flow",
        "duty",
        Measure,
        "due_at",
        _all(Measure, "measure", "town_code", "operator_id", "status", "due_at", "done_at"),
    ),
    "camera_slots": Relation(
        "availability",
        "slot of a camera",
        Heartbeat,
        "event_time",
        {**_all(Heartbeat, "online", "advancing", "picture"), **_all(Operator, "kind", "status")},
    ),
}  # fmt: skip
"""By name.

- operators: `certified`, `trained`, `healthy` tell whether a certificate is valid on the day; `kitchen` is the
  kitchen's state, empty without any kitchen event; `ordered` whether an order is recent enough.
- villages: `served` tells whether `served_by` names an active caring canteen.
- banquets: `cook_trained`, `cook_healthy` tell whether the cook's certificates cover the day of the meal.
- camera_slots: the condition of the numerator speaks of heartbeats, of which one in a slot has to meet it; that of the
  denominator speaks of the camera's operator. Slots outside the operator's business hours are never expected.
"""
