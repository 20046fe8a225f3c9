"""Writing the catalogue of indicators and the towns to where the views read them."""

from collections.abc import Iterable
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.indicators import Indicator
from schemas.towns import TOWNS
from sinks.clickhouse.client import now
from sinks.clickhouse.raw import DATABASE

_COLUMNS: Final = (
    "code", "name_zh", "name_en", "clause", "kind", "unit", "streams", "counts", "words", "sql_where", "sql_numerator",
    "sql_unknown", "comparator", "targets", "local_target", "recovery", "deadline", "windows", "settle", "scopes",
    "floor", "for_seconds", "alert_windows", "definition", "definition_from", "synced_at",
)  # fmt: skip


def sync_catalogue(client: Client, catalogue: Iterable[Indicator]) -> None:
    """Writes all entries as one block; the latest block is the catalogue, so an entry that is gone disappears."""
    at = now()
    rows = [
        [
            one.code, one.name_zh, one.name_en, one.clause, one.kind, one.unit, list(one.streams), one.counts,
            one.words, one.where, one.numerator, one.unknown, one.comparator or "",
            [(dated.from_, dated.value) for dated in one.target], one.local_target, one.recovery, one.deadline,
            list(one.windows), int(one.settle.total_seconds()), list(one.scopes), one.floor,
            int(one.for_.total_seconds()), list(one.alert_windows), one.definition, one.definition_from, at,
        ]
        for one in catalogue
    ]  # fmt: skip
    client.insert(f"{DATABASE}.raw_indicators", rows, column_names=_COLUMNS)
    client.insert(
        f"{DATABASE}.raw_towns", [list(town) for town in TOWNS.values()], column_names=["town_code", "name", "kind"]
    )
