"""What `yangguang.toml` may say of rates, their alerts, channels, retention and vendors."""

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from pipeline.configuration_channels import OneChannel
from pipeline.configuration_events import EventSettings
from pipeline.configuration_notify import NotifySettings
from pipeline.configuration_rejects import RejectsSettings
from pipeline.configuration_routes import MaintenanceSettings, RouteSettings
from pipeline.configuration_values import listed, value_or_list, within
from schemas.durations import Duration, Minutes
from schemas.indicator import Dated, DatedFloors, DatedNumbers, Day, Indicator, Numbers, always, followed_by
from schemas.indicators import CATALOGUE

DATED: Final = ("target", "recovery", "floor")
"""Fields of an indicator that have a value from a day on, as its parameters have."""


class SettingsError(Exception):
    """A setting that cannot be used, in one sentence that says what to do."""


_YEARS: Final = timedelta(days=3650)
_CENTURY: Final = timedelta(days=36500)
_UP_TO_YEARS: Final = within(timedelta(0), _YEARS, "at most 3650d")
_Span = Annotated[Duration, _UP_TO_YEARS]
_Whole = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
_DatedSpans = Annotated[tuple[Dated[_Span], ...], BeforeValidator(always), BeforeValidator(value_or_list)]
_DatedWholes = Annotated[tuple[Dated[_Whole], ...], BeforeValidator(always), BeforeValidator(value_or_list)]


class IndicatorSettings(BaseModel):
    """What may be set of any indicator. One with parameters has a model of its own, with those by their names."""

    model_config = ConfigDict(extra="forbid")

    target: Annotated[Numbers, BeforeValidator(listed)] | None = None
    recovery: Annotated[DatedNumbers, BeforeValidator(value_or_list)] | None = None
    for_: Annotated[Minutes, _UP_TO_YEARS] | None = Field(None, alias="for")
    floor: Annotated[DatedFloors, BeforeValidator(value_or_list)] | None = None
    settle: Minutes | None = None
    alert_windows: tuple[str, ...] | None = None
    deadline: Day | None = None

    def applied_to(self, indicator: Indicator) -> Indicator:
        """The catalogue's entry with what is set here; until the first day of a list the catalogue's value holds."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        configured = {name: given.pop(name) for name in indicator.parameters if name in given}
        for name in given.keys() & set(DATED):
            given[name] = followed_by(getattr(indicator, name), given[name])
        return indicator.model_copy(update={**given, "configured": configured})


def settings_of(indicator: Indicator) -> type[IndicatorSettings]:
    """The model of what may be set of this indicator: a parameter is a duration or a number as its default is."""
    parameters: dict[str, Any] = {
        name: (_DatedSpans if isinstance(several[0].value, timedelta) else _DatedWholes, ())
        for name, several in indicator.parameters.items()
    }
    return create_model(f"{indicator.code}Settings", __base__=IndicatorSettings, **parameters)


class _ByCode:
    """A table for each indicator of the catalogue, and no other."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A dict whose values are validated by what may be set of each indicator."""
        del source
        fields = {
            code: core_schema.typed_dict_field(handler.generate_schema(settings_of(entry)), required=False)
            for code, entry in CATALOGUE.items()
        }
        return core_schema.typed_dict_schema(fields, extra_behavior="forbid")


class VendorSettings(BaseModel):
    """Whose own messages the gateway takes, and what makes events of them."""

    model_config = ConfigDict(extra="forbid")

    mapping: Annotated[str, Field(min_length=1)]
    """A path that ends in .toml, relative to the file that names it, or the name of a shipped mapping."""
    devices: Annotated[str, Field(min_length=1)] | None = None
    """Path of the table that tells whose each device is, relative to the file that names it."""


_LONGER_THAN_A_MONTH: Final = within(
    timedelta(days=31), _CENTURY, "from 31d to 36500d, as whole months are dropped at a time"
)
_LONGER_THAN_AN_ORDER_COUNTS: Final = within(
    timedelta(days=60), _CENTURY, "from 60d to 36500d; without the line orders are kept for ever"
)
_AS_LONG_AS_PERSONAL_DATA: Final = within(
    timedelta(hours=1), timedelta(days=30), "from 1h to 30d, as the bytes may hold personal data"
)


class RetentionSettings(BaseModel):
    """How long what was received is kept. Raw heartbeats and orders go a whole month at a time, when all of that month
    is older than this; their buckets stay."""

    model_config = ConfigDict(extra="forbid")

    heartbeats: Annotated[Duration, _LONGER_THAN_A_MONTH] = timedelta(days=90)
    orders: Annotated[Duration, _LONGER_THAN_AN_ORDER_COUNTS] | None = None
    """None: for ever."""
    rejected: Annotated[Duration, _AS_LONG_AS_PERSONAL_DATA] = timedelta(days=30)
    """Bytes on topic yangguang.rejected."""


class Configuration(BaseModel):
    """The file `yangguang.toml`."""

    model_config = ConfigDict(extra="forbid")

    lateness: _Span = timedelta(seconds=60)
    takeaway_active_days: Annotated[int, Field(strict=True, ge=0, le=3650)] = 30
    indicator: Annotated[dict[str, IndicatorSettings], _ByCode()] = {}
    retention: RetentionSettings = RetentionSettings()
    channel: dict[str, OneChannel] = {}
    vendor: dict[str, VendorSettings] = {}
    rejects: RejectsSettings = RejectsSettings()
    event: EventSettings = EventSettings()
    notify: NotifySettings = NotifySettings()
    route: tuple[RouteSettings, ...] = ()
    maintenance: tuple[MaintenanceSettings, ...] = ()

    def catalogue(self) -> list[Indicator]:
        """The catalogue with the settings applied."""
        return [
            self.indicator[code].applied_to(entry) if code in self.indicator else entry
            for code, entry in CATALOGUE.items()
        ]
