"""What an entry of the catalogue of indicators is: one rate or count, with all that is derived from it.

No public source gives a formula for any of these rates, so numerator and denominator stand beside every rate, and every
definition has a version with the day from which it is valid.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.durations import Duration, Minutes
from schemas.relations import RELATIONS, Kind, Relation, RelationName

Scope = Literal["city", "town", "platform"]
Value = TypeVar("Value")
ParameterValue = Duration | Annotated[int, Field(strict=True, ge=0)]

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
ALWAYS: Final = date(2000, 1, 1)
"""No event is older, so what is valid from this day is always valid."""

Z_95: Final = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution, for Wilson's interval."""

NOT_JUDGED: Final = "not judged before its deadline"
"""Why an alert is over although its number has not recovered."""

END: Final = 2**32 - 1
"""The end of time, Unix seconds: the greatest that ClickHouse's DateTime holds."""

LAST_DAY: Final = date(2099, 12, 31)
"""The last whole year before the end of time."""


def _day(value: object) -> date:
    if isinstance(value, str):
        with suppress(ValueError):
            value = date.fromisoformat(value)
    if isinstance(value, datetime) or not isinstance(value, date) or not ALWAYS <= value <= LAST_DAY:
        raise ValueError(f"should be a day from {ALWAYS} to {LAST_DAY} without a time, such as 2027-01-01")
    return value


Day = Annotated[date, BeforeValidator(_day)]
"""A day in Asia/Shanghai. Pydantic alone would take midnights and Unix seconds for days too."""


class Dated(BaseModel, Generic[Value]):
    """A value that is valid from a day (Asia/Shanghai) until the next entry's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_: Day = Field(alias="from")
    value: Value


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Floor = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)]


def always(value: object) -> object:
    """A plain value as a list with one entry that was always valid."""
    return value if isinstance(value, list | tuple) else [{"from": ALWAYS, "value": value}]


Numbers = tuple[Dated[Number], ...]
DatedNumbers = Annotated[Numbers, BeforeValidator(always)]
DatedFloors = Annotated[tuple[Dated[Floor], ...], BeforeValidator(always)]
DatedParameter = Annotated[tuple[Dated[ParameterValue], ...], BeforeValidator(always)]


def percent(share: float) -> str:
    """A share as people read it: a tenth of a percent, and never 100 before it is whole."""
    return f"{min(round(share * 100, 1), 99.9) if share < 1 else share * 100:.1f}%"


def valid_on(entries: Iterable[Dated[Value]], day: date) -> Value | None:
    """The value that is valid on that day (Asia/Shanghai), or None before the first."""
    valid = [one for one in entries if one.from_ <= day]
    return max(valid, key=lambda one: one.from_).value if valid else None


def followed_by(entries: Sequence[Dated[Value]], later: Sequence[Dated[Value]]) -> tuple[Dated[Value], ...]:
    """`later`, and until its first day `entries`."""
    first = min((one.from_ for one in later), default=date.max)
    return (*(one for one in entries if one.from_ < first), *later)


class Definition(BaseModel):
    """A version of a definition: conditions in SQL, valid from a day (Asia/Shanghai) on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    from_: date = Field(alias="from")
    where: str
    numerator: str
    unknown: str = "false"


class Phase(NamedTuple):
    """A span of time in which one definition with its parameters holds: minutes [begin, end) in Unix seconds."""

    begin: int
    end: int
    version: str
    where: str
    numerator: str
    unknown: str


class Indicator(BaseModel):
    """One rate or count.

    `where`, `numerator` and `unknown` are SQL conditions over the fields of `relation`; a unit that meets `where` is in
    the denominator. A word in braces is a parameter: a duration (in seconds) or a number, each valid from a day on.
    `configured` has the values of parameters that are set locally; until the first of them those of `parameters` hold.
    `counts` tells a number of units from a share of them. `former` holds the definitions of earlier days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    name_zh: str
    name_en: str
    clause: str
    relation: RelationName
    where: str
    numerator: str
    unknown: str = "false"
    counts: bool = False
    words: str
    assumption: str = ""
    comparator: Literal[">=", "<="] | None = ">="
    target: Numbers = ()
    local_target: bool = False
    recovery: DatedNumbers = ()
    deadline: date | None = None
    windows: tuple[str, ...] = ("now",)
    settle: Minutes = timedelta(0)
    scopes: tuple[Scope, ...] = ("city", "town")
    floor: DatedFloors = ()
    for_: Minutes = timedelta(minutes=10)
    alert_windows: tuple[str, ...] = ("now",)
    parameters: Mapping[str, DatedParameter] = {}
    configured: Mapping[str, DatedParameter] = {}
    definition: str = "1"
    definition_from: date = date(2023, 1, 1)
    former: tuple[Definition, ...] = ()

    @property
    def units(self) -> Relation:
        """What it counts."""
        return RELATIONS[self.relation]

    @property
    def kind(self) -> Kind:
        """stock, flow or availability."""
        return self.units.kind

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that any of its definitions reads; the least of their watermarks is its own."""
        conditions = [text for one in self.definitions for text in (one.where, one.numerator, one.unknown)]
        return self.units.streams(*conditions)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """All versions, the oldest first."""
        current = Definition.model_validate(
            {
                "version": self.definition,
                "from": self.definition_from,
                "where": self.where,
                "numerator": self.numerator,
                "unknown": self.unknown,
            }
        )
        return tuple(sorted((*self.former, current), key=lambda one: one.from_))

    def target_on(self, day: date) -> float | None:
        """The target that is valid on that day (Asia/Shanghai), or None."""
        return valid_on(self.target, day)

    def recovery_on(self, day: date) -> float | None:
        """At or beyond this value a firing alert may resolve: the setting, else two points above a share's target."""
        target = self.target_on(day)
        set_level = valid_on(self.recovery, day)
        if target is None or set_level is not None:
            return set_level
        return (
            min(round(target + 0.02, 10), 1.0)
            if not self.counts and 0 < target < 1 and self.comparator == ">="
            else target
        )

    def floor_on(self, day: date) -> int:
        """The least denominator that is judged on that day (Asia/Shanghai); 0 before any was set."""
        return valid_on(self.floor, day) or 0

    @property
    def values(self) -> dict[str, tuple[Dated[Any], ...]]:
        """The parameters' values: the catalogue's own until the first day that is configured, then those."""
        return {name: followed_by(own, self.configured.get(name, ())) for name, own in self.parameters.items()}

    def phases(self) -> list[Phase]:
        """The spans of time in which its definition and parameters do not change, the oldest first, without gaps.

        The version names the parameters that are set locally."""
        values = self.values
        definitions = self.definitions
        days = {one.from_ for one in definitions} | {one.from_ for several in values.values() for one in several}
        found: list[Phase] = []
        for day in sorted(days):
            known = ([one for one in definitions if one.from_ <= day] or definitions[:1])[-1]
            words = {name: _sql(value_on(several, day)) for name, several in values.items()}
            local = [name for name in sorted(values) if valid_on(self.configured.get(name, ()), day) is not None]
            conditions = (text.format(**words) for text in (known.where, known.numerator, known.unknown))
            version = ", ".join([known.version, *(f"{name}={words[name]}" for name in local)])
            phase = Phase(_midnight(day), END, version, *conditions)
            if found and found[-1][2:] == phase[2:]:
                continue
            if found:
                found[-1] = found[-1]._replace(end=phase.begin)
            found.append(phase if found else phase._replace(begin=0))
        return found


def value_on(entries: Sequence[Dated[Any]], day: date) -> Any:
    """The value of that day; before the first entry the first one's, as a condition cannot do without."""
    value = valid_on(entries, day)
    return min(entries, key=lambda one: one.from_).value if value is None else value


def _sql(value: timedelta | int) -> str:
    return str(int(value.total_seconds()) if isinstance(value, timedelta) else value)


def _midnight(day: date) -> int:
    """The first second of a day in Asia/Shanghai, Unix seconds."""
    return int(datetime.combine(day, time(), SHANGHAI).astimezone(UTC).timestamp())
