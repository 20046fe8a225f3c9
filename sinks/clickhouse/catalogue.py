"""Writing the catalogue of indicators and the towns to where the views read them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.durations import window_length
from schemas.indicator import Dated, Indicator
from schemas.towns import TOWNS
from sinks.clickhouse.client import now
from sinks.clickhouse.computed import computed_as
from sinks.clickhouse.rates import WIDTHS, scope_ids
from sinks.clickhouse.raw import DATABASE

_COLUMNS: Final = (
    "code", "name_zh", "name_en", "clause", "kind", "unit", "streams", "counts", "words", "assumption", "sql_where",
    "sql_numerator", "sql_unknown", "parameters", "comparator", "targets", "local_target", "recoveries", "deadline",
    "windows", "lengths", "width", "settle", "silence", "scopes", "places", "floors", "for_seconds", "alert_windows",
    "definition", "definition_from", "phases", "computed_as", "synced_at",
)  # fmt: skip


def _dated(entries: Iterable[Dated[Any]]) -> list[tuple[date, Any]]:
    return [(one.from_, one.value) for one in entries]


def _number(value: timedelta | int) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def _silence(one: Indicator) -> tuple[int, int, int]:
    silence = one.units.silence
    return (int(silence.length.total_seconds()), silence.from_hour, silence.until_hour) if silence else (0, 0, 0)


def _row(one: Indicator) -> list[Any]:
    return [
        one.code, one.name_zh, one.name_en, one.clause, one.kind, one.units.unit, list(one.streams), one.counts,
        one.words, one.assumption, one.where, one.numerator, one.unknown,
        [(name, dated.from_, _number(dated.value)) for name, several in one.values.items() for dated in several],
        one.comparator or "", _dated(one.target), one.local_target, _dated(one.recovery), one.deadline,
        list(one.windows), [int(window_length(window).total_seconds()) for window in one.windows], WIDTHS[one.kind],
        int(one.settle.total_seconds()), _silence(one), list(one.scopes), scope_ids(one), _dated(one.floor),
        int(one.for_.total_seconds()), list(one.alert_windows), one.definition, one.definition_from,
        [(datetime.fromtimestamp(phase.begin, UTC), phase.version) for phase in one.phases()],
        computed_as(one),
    ]  # fmt: skip


def sync_catalogue(client: Client, catalogue: Iterable[Indicator]) -> None:
    """Writes all entries as one block; the latest block is the catalogue, so an entry that is gone disappears."""
    at = now()
    rows = [[*_row(one), at] for one in catalogue]
    client.insert(f"{DATABASE}.raw_indicators", rows, column_names=_COLUMNS)
    client.insert(
        f"{DATABASE}.raw_towns", [list(town) for town in TOWNS.values()], column_names=["town_code", "name", "kind"]
    )
