"""What `yangguang.toml` may say of event alerts: tables `[event.CODE]` with the numbers of their definitions."""

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pipeline.configuration_values import value_or_list, within
from schemas.durations import Duration, Minutes
from schemas.event_alerts import EventRules, event_rules
from schemas.indicator import Dated, always

_DAY: Final = timedelta(days=1)
_SLOT: Final = timedelta(minutes=5)

_Dated = (BeforeValidator(always), BeforeValidator(value_or_list))
_Diners = Annotated[tuple[Dated[Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]], ...], *_Dated]
_Lead = Annotated[tuple[Dated[Annotated[Minutes, within(_SLOT, 365 * _DAY, "from 5m to 365d")]], ...], *_Dated]
_Notice = Annotated[
    tuple[Dated[Annotated[Duration, within(_DAY, 3650 * _DAY, "whole days, from 1d to 3650d", _DAY)]], ...], *_Dated
]
_Silence = Annotated[
    tuple[Dated[Annotated[Duration, within(_SLOT, _DAY / 2, "a multiple of 5m, from 5m to 12h", _SLOT)]], ...], *_Dated
]


class _OneEvent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BanquetUnguidedSettings(_OneEvent):
    """From how many diners on, and how long before the meal."""

    diners: _Diners | None = None
    lead: _Lead | None = None


class BanquetCookSettings(_OneEvent):
    """From how many diners on."""

    diners: _Diners | None = None


class SupplierCertificateSettings(_OneEvent):
    """How long before the end."""

    notice: _Notice | None = None


class SchoolCameraSettings(_OneEvent):
    """After how long without a healthy heartbeat."""

    silence: _Silence | None = None


class EventSettings(BaseModel):
    """A table for each event alert that has parameters, and no other."""

    model_config = ConfigDict(extra="forbid")

    banquet_unguided: BanquetUnguidedSettings = BanquetUnguidedSettings()
    banquet_cook_uncertified: BanquetCookSettings = BanquetCookSettings()
    supplier_certificate_ending: SupplierCertificateSettings = SupplierCertificateSettings()
    school_camera_dark: SchoolCameraSettings = SchoolCameraSettings()

    def given(self) -> dict[str, dict[str, tuple[Dated[Any], ...]]]:
        """What is set, by code and name."""
        tables = {code: getattr(self, code) for code in type(self).model_fields}
        return {code: {name: getattr(table, name) for name in table.model_fields_set} for code, table in tables.items()}

    def rules(self) -> EventRules:
        """What the alert stage judges by."""
        return event_rules(self.given())
