"""The catalogue of indicators: one declarative entry each, from which SQL, labels, alert rules and documents derive.

No public source gives a formula for any of these rates, so numerator and denominator stand beside every rate, and every
definition has a version with the day from which it is valid. Adding an indicator is adding an entry here.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Kind = Literal["stock", "flow", "availability"]
Scope = Literal["city", "town", "platform"]
Relation = Literal["operators", "orders"]
"""What an indicator counts: spans of operators' records (stock), or settled orders (flow)."""

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"(\d{1,6})([smhd])", re.ASCII)


def parse_duration(text: object) -> object:
    """`90s`, `10m`, `1h`, `30d` as a timedelta. Raises ValueError for anything else."""
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("should be a whole number and a unit in quotes, such as 60s, 10m, 1h or 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _whole_minutes(length: timedelta) -> timedelta:
    if length % timedelta(minutes=1):
        raise ValueError("should be whole minutes, as alerts are judged once a minute")
    return length


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Minutes = Annotated[Duration, AfterValidator(_whole_minutes)]


class Dated(BaseModel):
    """A number that is valid from a day (Asia/Shanghai) until the next entry's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_: date = Field(alias="from")
    value: float = Field(strict=True, allow_inf_nan=False)


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
    settle: Minutes = timedelta(0)
    scopes: tuple[Scope, ...] = ("city", "town")
    floor: int = 30
    for_: Minutes = timedelta(minutes=10)
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
        return (
            min(round(target + 0.02, 10), 1.0)
            if not self.counts and 0 < target < 1 and self.comparator == ">="
            else target
        )


Z_95: Final = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution, for Wilson's interval."""

FLOW_WINDOWS: Final = ("1h", "24h", "7d", "30d")
_DOCUMENT: Final = date(2023, 1, 1)
_ALL_SCOPES: Final[tuple[Scope, ...]] = ("city", "town", "platform")
_ACTIVE_LICENSEE: Final = "kind = 'takeaway' AND status = 'active' AND notEmpty(platforms) AND ordered"
_KITCHEN_STREAMS: Final = ("yangguang.registry", "yangguang.camera", "yangguang.seal")


def _since_the_document(value: float) -> tuple[Dated, ...]:
    return (Dated.model_validate({"from": _DOCUMENT, "value": value}),)


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
        target=_since_the_document(0.90),
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
        target=_since_the_document(0.90),
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
