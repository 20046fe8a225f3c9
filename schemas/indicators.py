"""The catalogue of indicators: one declarative entry each, from which SQL, labels, alert rules and documents derive.

No public source gives a formula for any of these rates, so numerator and denominator stand beside every rate, and every
definition has a version with the day from which it is valid. Adding an indicator is adding an entry here.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Kind = Literal["stock", "flow", "availability"]
Scope = Literal["city", "town", "platform"]
Relation = Literal["operators", "orders"]
"""What an indicator counts: spans of operators' records (stock), or settled orders (flow)."""

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"(\d+)([smhd])", re.ASCII)


def parse_duration(text: object) -> object:
    """`90s`, `10m`, `1h`, `30d` as a timedelta; anything but a string is left to the validator.

    Raises ValueError for other strings."""
    if not isinstance(text, str):
        return text
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("should be a whole number and a unit, such as 60s, 10m, 1h or 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class Dated(BaseModel):
    """A number that is valid from a day (Asia/Shanghai) until the next entry's."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: date = Field(alias="from")
    value: float


class Indicator(BaseModel):
    """One rate or count.

    `where`, `numerator` and `unknown` are SQL conditions over the columns of `relation`; a unit that meets `where` is
    in the denominator. `counts` tells a number of units from a share of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    name_zh: str
    name_en: str
    clause: str
    kind: Kind
    unit: str
    streams: tuple[str, ...]
    relation: Relation
    where: str
    numerator: str
    unknown: str = "false"
    counts: bool = False
    words: str
    comparator: Literal[">=", "<="] | None = ">="
    target: tuple[Dated, ...] = ()
    local_target: bool = False
    recovery: float | None = None
    deadline: date | None = None
    windows: tuple[str, ...]
    settle: Duration = timedelta(0)
    scopes: tuple[Scope, ...] = ("city", "town")
    floor: int = 30
    for_: Duration = timedelta(minutes=10)
    alert_windows: tuple[str, ...]
    definition: str = "1"
    definition_from: date = date(2023, 1, 1)

    def target_on(self, day: date) -> float | None:
        """The target that is valid on that day (Asia/Shanghai), or None."""
        valid = [dated for dated in self.target if dated.from_ <= day]
        return max(valid, key=lambda dated: dated.from_).value if valid else None

    def recovery_on(self, day: date) -> float | None:
        """At or beyond this value a firing alert may resolve: the setting, else two points above a share's target."""
        target = self.target_on(day)
        if target is None or self.recovery is not None:
            return self.recovery
        return min(target + 0.02, 1.0) if not self.counts and 0 < target < 1 and self.comparator == ">=" else target


FLOW_WINDOWS: Final = ("1h", "24h", "7d", "30d")
_DOCUMENT: Final = date(2023, 1, 1)
_ALL_SCOPES: Final[tuple[Scope, ...]] = ("city", "town", "platform")
_ACTIVE_LICENSEE: Final = "kind = 'takeaway' AND status = 'active' AND notEmpty(platforms) AND ordered"
_KITCHEN_STREAMS: Final = ("yangguang.registry", "yangguang.camera", "yangguang.seal")


def _stock(**fields: Any) -> Indicator:
    return Indicator(**{"kind": "stock", "windows": ("now",), "alert_windows": ("now",), "floor": 1, **fields})


def _seal(**fields: Any) -> Indicator:
    return Indicator(
        **{
            "kind": "flow",
            "unit": "order",
            "streams": ("yangguang.seal",),
            "relation": "orders",
            "where": "fulfilment = 'delivered'",
            "windows": FLOW_WINDOWS,
            "alert_windows": ("1h",),
            "settle": timedelta(minutes=15),
            "scopes": _ALL_SCOPES,
            "clause": "20",
            **fields,
        }
    )


INDICATORS: Final = (
    _stock(
        code="kitchen_build",
        name_zh="外卖商家阳光厨房建设率",
        name_en="Takeaway sunshine-kitchen build rate",
        clause="20",
        unit="operator",
        streams=_KITCHEN_STREAMS,
        relation="operators",
        where=_ACTIVE_LICENSEE,
        numerator="kitchen = 'active'",
        unknown="kitchen = ''",
        words="Active takeaway licensees whose kitchen is built and working, of all active takeaway licensees. "
        "Unknown: no kitchen event at all.",
        target=(Dated(**{"from": _DOCUMENT, "value": 0.90}),),
        scopes=_ALL_SCOPES,
    ),
    _stock(
        code="kitchen_build_loose",
        name_zh="外卖商家阳光厨房建设率（含降级）",
        name_en="Takeaway sunshine-kitchen build rate, degraded ones included",
        clause="20",
        unit="operator",
        streams=_KITCHEN_STREAMS,
        relation="operators",
        where=_ACTIVE_LICENSEE,
        numerator="kitchen IN ('active', 'degraded')",
        unknown="kitchen = ''",
        words="As kitchen_build, with kitchens that are built but degraded counted too. Shown only.",
        comparator=None,
        scopes=_ALL_SCOPES,
    ),
    _seal(
        code="seal_coverage",
        name_zh="外卖封签使用率",
        name_en="Takeaway seal coverage",
        numerator="seal_state = 'intact' AND evidence_level >= 2 AND sealed_packages >= packages",
        unknown="seal_state = 'unknown' OR evidence_level < 2",
        words="Delivered orders whose every package has an intact seal at evidence level 2 or more, of all delivered "
        "orders. Unknown: the seal's state is not known, or the evidence is below level 2.",
        target=(Dated(**{"from": _DOCUMENT, "value": 0.90}),),
        local_target=True,
    ),
    _seal(
        code="seal_evidence",
        name_zh="外卖封签证据率",
        name_en="Takeaway seal evidence",
        numerator="evidence_level >= 1",
        words="Delivered orders with evidence of level 1 or more, of all delivered orders. Shown only.",
        comparator=None,
    ),
)

CATALOGUE: Final[Mapping[str, Indicator]] = {indicator.code: indicator for indicator in INDICATORS}


def window_length(window: str) -> timedelta:
    """`1h`, `24h`, `7d`, `30d`, `365d` as a timedelta; `now` is none."""
    if window == "now":
        return timedelta(0)
    length = parse_duration(window)
    assert isinstance(length, timedelta)
    return length
